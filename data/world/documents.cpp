#include "data/world/documents.h"

#include <algorithm>

namespace laclip::world {
namespace {

// Draws of rewrites, apart from those of the scene's own alt-text.
Random rewriting(const SceneId& id) {
  return Random(id.seed, RandomUse::world_text, id.index, 1000 + uint32_t(id.split));
}

// For coco, two captions of one image in that manner; otherwise an alt-text and its rewrite.
ExamplePair example(const Scene& scene, RewriteMode style, const AltTextOptions& options) {
  Random random = rewriting(scene.id);
  const AltText source = alt_text(scene, options);
  const std::string target = rewrite(random, style, source.facts);
  if (style != RewriteMode::coco) return {source.text, target};
  std::string other;
  do {
    other = rewrite(random, style, source.facts);
  } while (other == target);
  return {target, other};
}

}  // namespace

Document make_document(uint64_t seed, Split split, uint64_t index, const AltTextOptions& options) {
  Document document;
  document.style = kStyles[index % 4];
  std::array<ExamplePair, 3> examples;
  for (uint64_t i = 0; i < 3; ++i)
    examples[i] = example(make_scene({seed, split, 4 * index + 1 + i}), document.style, options);
  document.scene = make_scene({seed, split, 4 * index});
  document.query = alt_text(document.scene, options);
  Random random = rewriting(document.scene.id);
  document.target = rewrite(random, document.style, document.query.facts);
  document.text =
      prompt_prefix(examples) + prompt_query(document.query.text) + " " + document.target + "\n";
  return document;
}

Json example_pairs(uint64_t seed, RewriteMode style, const AltTextOptions& options) {
  const uint64_t first = 100 * uint64_t(style);
  Json list = Json::array();
  if (style != RewriteMode::coco) {
    for (uint64_t i = 0; i < 16; ++i) {
      const auto [source, target] =
          example(make_scene({seed, Split::example_pairs, first + i}), style, options);
      list.push_back({source, target});
    }
    return {{"pairs", list}};
  }
  for (uint64_t i = 0; i < 18; ++i) {
    const Scene scene = make_scene({seed, Split::example_pairs, first + i});
    const Facts facts = alt_text(scene, options).facts;
    Random random = rewriting(scene.id);
    std::vector<std::string> group;
    while (group.size() < 5) {
      const std::string text = rewrite(random, style, facts);
      if (std::find(group.begin(), group.end(), text) == group.end()) group.push_back(text);
    }
    list.push_back(group);
  }
  return {{"groups", list}};
}

}  // namespace laclip::world

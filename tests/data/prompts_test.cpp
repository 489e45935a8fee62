// Prompts in the reference's form, and the examples they are made of.
#include "data/prompts.h"

#include <gtest/gtest.h>

#include <set>

#include "base/check.h"
#include "base/json.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

constexpr RewriteMode kModes[] = {RewriteMode::chatgpt, RewriteMode::bard, RewriteMode::coco,
                                  RewriteMode::human};

// llama_rewrite.py builds a prompt by an f-string over several lines of indented code; this is that
// text, written out a second time.
std::string reference_prompt(const std::array<ExamplePair, 3>& p, const std::string& caption) {
  const auto line = [](const std::string& text) { return "            " + text + "\n\n"; };
  return "write image captions differently,\n\n" + line(p[0].source + " => " + p[0].target) +
         line(p[1].source + " => " + p[1].target) + line(p[2].source + " => " + p[2].target) +
         "            " + caption + " =>";
}

TEST(Prompts, AreByteIdenticalWithTheReferencePairs) {
  LACLIP_REFERENCE_DATA("laclip-meta");
  const fs::path file = test::reference_data("laclip-meta/meta_pairs.json");
  const Json json = read_json(file);
  int count = 0;
  for (RewriteMode mode : kModes) {
    const ExampleBank bank = ExampleBank::from_file(file, mode);
    const auto captions = read_lines(test::reference_data("laclip-meta/source.txt"));
    for (size_t i = 0; i < captions.size(); ++i) {
      const ExampleDraw draw = draw_examples(bank, 11, i);
      std::array<ExamplePair, 3> pairs;  // looked up in the reference's lists, not in the bank
      for (size_t k = 0; k < 3; ++k) {
        const auto [item, source, target] = draw.examples[k];
        const std::string name = name_of(mode);
        if (mode == RewriteMode::coco)
          pairs[k] = {json["coco_caption_list"][item][source].get<std::string>(),
                      json["coco_caption_list"][item][target].get<std::string>()};
        else
          pairs[k] = {json[name + "_source_caption_list"][item].get<std::string>(),
                      json[name + "_target_caption_list"][item].get<std::string>()};
      }
      EXPECT_EQ(prompt_prefix(pairs_of(bank, draw)) + prompt_query(captions[i]),
                reference_prompt(pairs, captions[i]));
      ++count;
    }
  }
  EXPECT_GE(count, 400);
}

TEST(Prompts, BuiltInExamplesAreCompleteAndOurOwn) {
  std::set<std::string> reference;
  const fs::path file = test::reference_data("laclip-meta/meta_pairs.json");
  const Json lists = fs::exists(file) ? read_json(file) : Json::object();
  for (const auto& [name, list] : lists.items()) {
    for (const Json& item : list) {
      for (const Json& caption : item.is_string() ? Json{item} : item)
        reference.insert(caption.get<std::string>());
    }
  }
  for (RewriteMode mode : kModes) {
    const ExampleBank bank = ExampleBank::built_in(mode);
    std::vector<std::string> texts;
    for (const ExamplePair& pair : bank.pairs)
      texts.insert(texts.end(), {pair.source, pair.target});
    for (const auto& group : bank.groups) {
      EXPECT_EQ(group.size(), 5u);
      texts.insert(texts.end(), group.begin(), group.end());
    }
    EXPECT_EQ(bank.pairs.size(), mode == RewriteMode::coco ? 0u : 16u);
    EXPECT_EQ(bank.groups.size(), mode == RewriteMode::coco ? 18u : 0u);
    EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(), texts.size())
        << "a text twice";
    for (const std::string& text : texts) {
      EXPECT_EQ(text.find("=>"), std::string::npos);
      EXPECT_EQ(text.find('\n'), std::string::npos);
      EXPECT_EQ(reference.count(text), 0u) << text;
    }
  }
}

TEST(Prompts, ExamplesAreDrawnWithoutReplacementByCaptionAlone) {
  for (RewriteMode mode : kModes) {
    const ExampleBank bank = ExampleBank::built_in(mode);
    std::set<uint32_t> used;
    std::set<std::array<uint32_t, 3>> draws;
    for (uint64_t item = 0; item < 300; ++item) {
      const ExampleDraw draw = draw_examples(bank, 1, item), again = draw_examples(bank, 1, item);
      std::set<uint32_t> three;
      for (size_t k = 0; k < 3; ++k) {
        EXPECT_EQ(draw.examples[k].item, again.examples[k].item);
        three.insert(draw.examples[k].item);
        used.insert(draw.examples[k].item);
        EXPECT_EQ(draw.examples[k].source != draw.examples[k].target, mode == RewriteMode::coco);
      }
      EXPECT_EQ(three.size(), 3u);
      draws.insert({draw.examples[0].item, draw.examples[1].item, draw.examples[2].item});
    }
    EXPECT_EQ(used.size(), mode == RewriteMode::coco ? 18u : 16u);
    EXPECT_GT(draws.size(), 250u);
  }
}

TEST(Prompts, SetsAreSharedAndAllInUse) {
  std::set<uint64_t> sets;
  for (size_t caption = 0; caption < 500; ++caption) {
    EXPECT_EQ(example_set(3, 0, caption), caption);
    const uint64_t set = example_set(3, 8, caption);
    EXPECT_LT(set, 8u);
    sets.insert(set);
  }
  EXPECT_EQ(sets.size(), 8u);
}

TEST(Prompts, CaptionsThatWouldBreakAPrompt) {
  const CleanCaption arrow = clean_caption("a => b => c");
  EXPECT_EQ(arrow.text, "a -> b -> c");
  EXPECT_TRUE(arrow.had_arrow);
  const CleanCaption lines = clean_caption(" two\r\nlines \n");
  EXPECT_EQ(lines.text, "two  lines");
  EXPECT_TRUE(lines.had_newline);
  EXPECT_EQ(clean_caption(" \n\t").text, "");
  EXPECT_FALSE(clean_caption("plain").had_newline || clean_caption("plain").had_arrow);
  EXPECT_EQ(clean_rewrite(" A dog. \n\n another => x"), "A dog.");
  EXPECT_EQ(clean_rewrite("\n"), "");
}

TEST(Prompts, FilesOfOwnExamples) {
  test::TemporaryFolder folder;
  const fs::path file = folder / "pairs.json";
  write_atomically(file, R"({"pairs": [["a", "b"], ["c", "d"], ["e", "f"]]})");
  EXPECT_EQ(ExampleBank::from_file(file, RewriteMode::coco).pairs.size(), 3u);
  write_atomically(file, R"({"groups": [["a", "b"], ["c", "d"], ["e", "f", "g"]]})");
  EXPECT_EQ(ExampleBank::from_file(file, RewriteMode::chatgpt).groups.size(), 3u);
  for (const char* wrong :
       {R"({"pairs": [["a", "b"]]})", R"({"pairs": [["a"], ["c", "d"], ["e", "f"]]})",
        R"({"groups": [["a"], ["c", "d"], ["e", "f"]]})", R"({"other": 1})", "[", "[]"}) {
    write_atomically(file, wrong);
    EXPECT_THROW(ExampleBank::from_file(file, RewriteMode::human), Error) << wrong;
  }
}

}  // namespace
}  // namespace laclip

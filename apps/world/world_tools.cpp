// What is done with a world that is there: EDA, judging rewrites; and a picture of it.
#include <map>

#include "apps/world/world_folder.h"
#include "base/check.h"
#include "data/eda.h"
#include "data/image_write.h"
#include "data/world/documents.h"
#include "data/world/judge.h"
#include "data/world/render.h"

namespace laclip {

using namespace world;

void write_eda(const fs::path& folder, int outputs, double alpha) {
  const WorldSettings settings = WorldSettings::read(folder);
  const auto captions = read_lines(folder / "captions.txt");
  const Eda eda(synonym_groups(), alpha);
  for (int n = 1; n <= outputs; ++n) {
    std::string text;
    for (size_t i = 0; i < captions.size(); ++i) {
      Random random(settings.seed, RandomUse::world_text, i, 10000 + uint32_t(n));
      text += eda.augment(captions[i], random) + "\n";
    }
    write_atomically(folder / fmt::format("eda_{}.txt", n), text);
  }
}

Json judge_rewrites(const fs::path& rewrites, const fs::path& folder) {
  const WorldSettings settings = WorldSettings::read(folder);
  std::map<RewriteMode, JudgeTally> tallies;
  int64_t number = 0;
  for (const std::string& line : read_lines(rewrites)) {
    const std::string place = fmt::format("{}:{}", rewrites.string(), ++number);
    if (line.empty()) continue;
    const Json row = parse_json(line, place);
    const auto index = json_field<uint64_t>(row, "index", place);
    const auto original = json_field<std::string>(row, "original", place);
    const auto text = json_field<std::string>(row, "text", place);
    const RewriteMode mode = parse_rewrite_mode(json_field<std::string>(row, "mode", place));
    // The caption tells which list the index counts in.
    Scene scene = make_scene({settings.seed, Split::train, index});
    AltText caption = alt_text(scene, settings.alt_text());
    if (caption.text != original) {
      const Document document =
          make_document(settings.seed, Split::heldout, index, settings.alt_text());
      scene = document.scene;
      caption = document.query;
    }
    check(caption.text == original, "{}: '{}' is not caption {} of {}; give its own --world", place,
          original, index, folder.string());
    tallies[mode].add(text, mode, judge(text, original, caption.facts, scene));
  }
  check(!tallies.empty(), "{}: no rewrites in it", rewrites.string());
  Json result = Json::object();
  for (const auto& [mode, tally] : tallies) result[name_of(mode)] = tally.result();
  return result;
}

void write_contact_sheet(const WorldSettings& settings, const fs::path& file) {
  constexpr int kSide = 8, kScale = 2;
  const int size = settings.image_size, whole = kSide * size * kScale;
  Image sheet{whole, whole, std::vector<uint8_t>(size_t(whole) * size_t(whole) * 3)};
  const int kinds = concepts(Category::kind);
  for (int i = 0; i < kSide * kSide; ++i) {
    const SceneId id{settings.seed, i < kinds ? Split::kind_task : Split::train, uint64_t(i)};
    const Scene scene = i < kinds ? make_scene(id, {.kind = i, .count = 1}) : make_scene(id);
    const Image image = render(scene, size);
    const int left = i % kSide * size * kScale, top = i / kSide * size * kScale;
    for (int y = 0; y < size * kScale; ++y)
      for (int x = 0; x < size * kScale; ++x)
        for (int c = 0; c < 3; ++c)
          sheet.rgb[size_t(((top + y) * whole + left + x) * 3 + c)] =
              image.rgb[size_t((y / kScale * size + x / kScale) * 3 + c)];
  }
  write_png(file, sheet);
}

}  // namespace laclip

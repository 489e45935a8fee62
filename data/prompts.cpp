#include "data/prompts.h"

#include "base/check.h"
#include "base/json.h"
#include "base/philox.h"
#include "data/prompt_pairs.h"

namespace laclip {
namespace {

constexpr const char* kIndent = "            ";

std::string stripped(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

void check_bank(const ExampleBank& bank, const std::string& place) {
  const size_t count = bank.pairs.empty() ? bank.groups.size() : bank.pairs.size();
  check(count >= 3, "{}: {} examples; three at least are drawn for a prompt", place, count);
  for (const auto& group : bank.groups)
    check(group.size() >= 2, "{}: a group of {} captions; two at least make a pair", place,
          group.size());
}

}  // namespace

RewriteMode parse_rewrite_mode(const std::string& name) {
  if (name == "chatgpt") return RewriteMode::chatgpt;
  if (name == "bard") return RewriteMode::bard;
  if (name == "coco" || name == "mscoco") return RewriteMode::coco;
  if (name == "human") return RewriteMode::human;
  fail_usage("--mode {}: chatgpt, bard, coco and human are possible", name);
}

std::string name_of(RewriteMode mode) {
  switch (mode) {
    case RewriteMode::chatgpt:
      return "chatgpt";
    case RewriteMode::bard:
      return "bard";
    case RewriteMode::coco:
      return "coco";
    case RewriteMode::human:
      return "human";
  }
  return "";
}

ExampleBank ExampleBank::built_in(RewriteMode mode) {
  switch (mode) {
    case RewriteMode::chatgpt:
      return {chatgpt_pairs(), {}};
    case RewriteMode::bard:
      return {bard_pairs(), {}};
    case RewriteMode::coco:
      return {{}, coco_groups()};
    case RewriteMode::human:
      return {human_pairs(), {}};
  }
  return {};
}

ExampleBank ExampleBank::from_file(const fs::path& file, RewriteMode mode) {
  const Json json = read_json(file);
  const std::string place = file.string(), prefix = name_of(mode);
  ExampleBank bank;
  using Texts = std::vector<std::string>;
  if (json.contains("pairs")) {
    for (const auto& pair : json_field<std::vector<Texts>>(json, "pairs", place)) {
      check(pair.size() == 2, "{}: a pair of {} texts", place, pair.size());
      bank.pairs.push_back({pair[0], pair[1]});
    }
  } else if (json.contains("groups")) {
    bank.groups = json_field<std::vector<Texts>>(json, "groups", place);
  } else if (mode == RewriteMode::coco) {
    bank.groups = json_field<std::vector<Texts>>(json, "coco_caption_list", place);
  } else {
    const auto sources = json_field<Texts>(json, prefix + "_source_caption_list", place);
    const auto targets = json_field<Texts>(json, prefix + "_target_caption_list", place);
    check(sources.size() == targets.size(), "{}: {} sources but {} targets for {}", place,
          sources.size(), targets.size(), prefix);
    for (size_t i = 0; i < sources.size(); ++i) bank.pairs.push_back({sources[i], targets[i]});
  }
  check_bank(bank, place);
  return bank;
}

uint64_t example_set(uint64_t seed, uint64_t sets, size_t caption) {
  return sets == 0 ? caption
                   : Random(seed, RandomUse::example_draw, caption, 1).below(uint32_t(sets));
}

ExampleDraw draw_examples(const ExampleBank& bank, uint64_t seed, uint64_t item) {
  Random random(seed, RandomUse::example_draw, item);
  const bool groups = bank.pairs.empty();
  const auto order = random.permutation(uint32_t(groups ? bank.groups.size() : bank.pairs.size()));
  ExampleDraw draw{};
  for (size_t i = 0; i < 3; ++i) {
    draw.examples[i] = {order[i], 0, 0};
    if (!groups) continue;
    const auto two = random.permutation(uint32_t(bank.groups[order[i]].size()));
    draw.examples[i].source = two[0];
    draw.examples[i].target = two[1];
  }
  return draw;
}

std::array<ExamplePair, 3> pairs_of(const ExampleBank& bank, const ExampleDraw& draw) {
  std::array<ExamplePair, 3> pairs;
  for (size_t i = 0; i < 3; ++i) {
    const auto [item, source, target] = draw.examples[i];
    if (bank.pairs.empty())
      pairs[i] = {bank.groups[item][source], bank.groups[item][target]};
    else
      pairs[i] = bank.pairs[item];
  }
  return pairs;
}

std::string prompt_prefix(const std::array<ExamplePair, 3>& examples) {
  std::string text = "write image captions differently,\n\n";
  for (const auto& [source, target] : examples) text += kIndent + source + " => " + target + "\n\n";
  return text;
}

std::string prompt_query(const std::string& caption) { return kIndent + caption + " =>"; }

CleanCaption clean_caption(const std::string& caption) {
  CleanCaption clean;
  for (char c : caption) {
    const bool line_end = c == '\n' || c == '\r' || c == '\v' || c == '\f';
    clean.had_newline |= line_end;
    clean.text += line_end ? ' ' : c;
  }
  for (size_t at; (at = clean.text.find("=>")) != std::string::npos; clean.had_arrow = true)
    clean.text[at] = '-';
  clean.text = stripped(clean.text);
  return clean;
}

std::string clean_rewrite(const std::string& generated) {
  return stripped(generated.substr(0, generated.find('\n')));
}

}  // namespace laclip

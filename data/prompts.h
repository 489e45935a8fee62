// The prompts of the rewriting step: in-context learning from three example pairs (Fan et al.
// 2023).
//
//   write image captions differently,
//
//               SOURCE => TARGET          three times, with an empty line after each
//
//               CAPTION =>
//
// Twelve spaces stand before each pair, as in the reference's code, where they are an indentation
// inside a string: the model sees them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"

namespace laclip {

// In whose manner the examples rewrite: the four of the paper.
enum class RewriteMode { chatgpt, bard, coco, human };
RewriteMode parse_rewrite_mode(const std::string& name);  // also mscoco; UsageError
std::string name_of(RewriteMode mode);

struct ExamplePair {
  std::string source, target;
};

// What examples are drawn from: pairs; or groups of captions of one image, any two of which make a
// pair (coco).
struct ExampleBank {
  std::vector<ExamplePair> pairs;
  std::vector<std::vector<std::string>> groups;

  static ExampleBank built_in(RewriteMode mode);
  // {"pairs": [["source", "target"], …]}, {"groups": [["caption", …], …]}, or the reference's lists
  // ("chatgpt_source_caption_list", …, "coco_caption_list").
  static ExampleBank from_file(const fs::path& file, RewriteMode mode);
};

// Three examples, as indices into the bank: {pair, 0, 0}, or {group, source, target}.
struct ExampleDraw {
  struct Index {
    uint32_t item, source, target;
  };
  std::array<Index, 3> examples;
};
// The set of examples that a caption uses: with sets = 0 its own (as in the paper), otherwise one
// of `sets`.
uint64_t example_set(uint64_t seed, uint64_t sets, size_t caption);
// Without replacement, in random order; a pure function of seed and item, the number of a set.
ExampleDraw draw_examples(const ExampleBank& bank, uint64_t seed, uint64_t item);
std::array<ExamplePair, 3> pairs_of(const ExampleBank& bank, const ExampleDraw& draw);

// The prompt is prefix + query. It is cut behind a line end, so that tokens do not cross the cut.
std::string prompt_prefix(const std::array<ExamplePair, 3>& examples);
std::string prompt_query(const std::string& caption);

// A caption as it may stand in a prompt: line ends become spaces and "=>" becomes "->", which would
// otherwise look like the end of the caption.
struct CleanCaption {
  std::string text;
  bool had_newline = false, had_arrow = false;
};
CleanCaption clean_caption(const std::string& caption);

// What the model wrote up to the line end, without spaces around it.
std::string clean_rewrite(const std::string& generated);

}  // namespace laclip

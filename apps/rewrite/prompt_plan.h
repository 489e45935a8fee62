// Which prompt each caption gets: its examples, drawn by seed, and the tokens of both parts.
#pragma once

#include <string>
#include <vector>

#include "data/prompts.h"
#include "tokenizer/tokenizer.h"

namespace laclip {

class PromptPlan {
 public:
  // example_sets 0: examples are drawn for each caption, as in the paper. N > 0: N sets are drawn,
  // and a caption uses one of them, so that many captions share a prefix.
  PromptPlan(ExampleBank bank, const Tokenizer& tokenizer, uint64_t seed, uint64_t example_sets);

  // Captions of the same set share their prefix.
  uint64_t set_of(size_t caption) const { return example_set(seed_, example_sets_, caption); }
  ExampleDraw draw(uint64_t set) const { return draw_examples(bank_, seed_, set); }
  std::string prefix_text(uint64_t set) const { return prompt_prefix(pairs_of(bank_, draw(set))); }
  std::vector<int32_t> prefix_tokens(uint64_t set) const;  // with the begin token
  std::vector<int32_t> query_tokens(const std::string& caption) const;
  size_t longest_prefix() const { return longest_prefix_; }  // tokens, an upper bound
  uint64_t digest() const;                                   // of the examples

 private:
  ExampleBank bank_;
  const Tokenizer& tokenizer_;
  uint64_t seed_, example_sets_;
  size_t longest_prefix_ = 0;
};

}  // namespace laclip

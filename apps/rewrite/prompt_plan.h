// Which prompt each caption gets: its examples, drawn by seed, and the tokens of both parts.
#pragma once

#include <array>
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

  ExampleDraw draw(size_t caption) const {
    return draw_examples(bank_, seed_, example_set(seed_, example_sets_, caption));
  }
  // The three pairs in their order, each by its number among all that the examples make. Captions of
  // the same triple share their prefix.
  using Triple = std::array<uint32_t, 3>;
  Triple triple_of(size_t caption) const;
  // Of a caption's prefix, with the begin token.
  std::vector<int32_t> prefix_tokens(size_t caption) const;
  std::vector<int32_t> query_tokens(const std::string& caption) const;
  size_t longest_prefix() const { return longest_prefix_; }  // tokens, an upper bound
  uint64_t digest() const;                                   // of the examples

 private:
  ExampleBank bank_;
  const Tokenizer& tokenizer_;
  uint64_t seed_, example_sets_;
  std::vector<uint32_t> pairs_before_;  // of each group: the pairs of those before it
  size_t longest_prefix_ = 0;
};

}  // namespace laclip

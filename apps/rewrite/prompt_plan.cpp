#include "apps/rewrite/prompt_plan.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "data/text_table.h"

namespace laclip {

PromptPlan::PromptPlan(ExampleBank bank, const Tokenizer& tokenizer, uint64_t seed,
                       uint64_t example_sets)
    : bank_(std::move(bank)), tokenizer_(tokenizer), seed_(seed), example_sets_(example_sets) {
  // The three longest pairs there can be, and the first line.
  std::vector<size_t> lengths;
  auto measure = [&](const std::string& source, const std::string& target) {
    lengths.push_back(tokenizer.encode(prompt_query(source) + " " + target + "\n\n").size());
  };
  for (const ExamplePair& pair : bank_.pairs) measure(pair.source, pair.target);
  uint64_t pairs = 0;
  for (const auto& group : bank_.groups) {
    auto by_length = group;
    std::sort(by_length.begin(), by_length.end(), [&](const auto& a, const auto& b) {
      return tokenizer.encode(a).size() > tokenizer.encode(b).size();
    });
    measure(by_length[0], by_length[1]);
    pairs_before_.push_back(uint32_t(pairs));
    pairs += group.size() * group.size();
  }
  check(pairs <= std::numeric_limits<uint32_t>::max(),
        "the examples' groups make {} pairs, more than can be told apart; use fewer or smaller "
        "groups",
        pairs);
  std::sort(lengths.rbegin(), lengths.rend());
  constexpr size_t kMargin = 8;  // tokens may join differently at the seams
  longest_prefix_ =
      tokenizer.encode(prompt_prefix({})).size() + lengths[0] + lengths[1] + lengths[2] + kMargin;
}

PromptPlan::Triple PromptPlan::triple_of(size_t caption) const {
  const ExampleDraw drawn = draw(caption);
  Triple triple;
  for (size_t i = 0; i < 3; ++i) {
    const auto [item, source, target] = drawn.examples[i];
    const auto number = [&] {
      return pairs_before_[item] + source * uint32_t(bank_.groups[item].size()) + target;
    };
    triple[i] = bank_.pairs.empty() ? number() : item;
  }
  return triple;
}

std::vector<int32_t> PromptPlan::prefix_tokens(size_t caption) const {
  std::vector<int32_t> ids = tokenizer_.encode(prompt_prefix(pairs_of(bank_, draw(caption))));
  ids.insert(ids.begin(), *tokenizer_.begin_token());
  return ids;
}

// Both kinds of LLaMA tokenizer put a space before a text; here it stands for the first of the
// indent.
std::vector<int32_t> PromptPlan::query_tokens(const std::string& caption) const {
  return tokenizer_.encode(prompt_query(caption).substr(1));
}

uint64_t PromptPlan::digest() const {
  TextTable texts;
  for (const auto& [source, target] : bank_.pairs) texts.add(source), texts.add(target);
  for (const auto& group : bank_.groups)
    for (const std::string& caption : group) texts.add(caption);
  return texts.digest();
}

}  // namespace laclip

#include "apps/rewrite/prompt_plan.h"

#include <algorithm>

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
  for (const auto& group : bank_.groups) {
    auto by_length = group;
    std::sort(by_length.begin(), by_length.end(), [&](const auto& a, const auto& b) {
      return tokenizer.encode(a).size() > tokenizer.encode(b).size();
    });
    measure(by_length[0], by_length[1]);
  }
  std::sort(lengths.rbegin(), lengths.rend());
  constexpr size_t kMargin = 8;  // tokens may join differently at the seams
  longest_prefix_ =
      tokenizer.encode(prompt_prefix({})).size() + lengths[0] + lengths[1] + lengths[2] + kMargin;
}

std::vector<int32_t> PromptPlan::prefix_tokens(uint64_t set) const {
  std::vector<int32_t> ids = tokenizer_.encode(prefix_text(set));
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

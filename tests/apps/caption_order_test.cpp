// Captions in the order of their examples: equal triples are equal prefixes, and stand together.
#include "apps/rewrite/caption_order.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/apps/tiny_llama.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

class CaptionOrders : public testing::Test {
 protected:
  CaptionOrders() {
    write_atomically(folder_ / "tokenizer.bin", test::TinyLlama::tokenizer());
    tokenizer_ = load_tokenizer(folder_ / "tokenizer.bin");
  }
  PromptPlan plan(ExampleBank bank, uint64_t sets) const { return {bank, *tokenizer_, 3, sets}; }
  test::TemporaryFolder folder_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

const ExampleBank kFewPairs{{{"a", "b"}, {"c", "d"}, {"e", "f"}}, {}};
const ExampleBank kFewGroups{{}, {{"a", "b"}, {"c", "d", "e"}, {"f", "g"}}};

TEST_F(CaptionOrders, EqualTriplesAreEqualPrefixes) {
  for (const ExampleBank& bank : {kFewPairs, kFewGroups}) {
    const PromptPlan plan = this->plan(bank, 0);
    std::map<PromptPlan::Triple, std::set<std::vector<int32_t>>> prefixes;
    std::set<std::vector<int32_t>> all;
    for (size_t caption = 0; caption < 3000; ++caption) {
      const auto tokens = plan.prefix_tokens(caption);
      prefixes[plan.triple_of(caption)].insert(tokens);
      all.insert(tokens);
    }
    // Three pairs in any order; of groups, two ordered captions of each besides: 2 · 6 · 2.
    EXPECT_EQ(prefixes.size(), bank.groups.empty() ? 6u : 6u * 24);
    EXPECT_EQ(all.size(), prefixes.size());
    for (const auto& [triple, tokens] : prefixes) EXPECT_EQ(tokens.size(), 1u);
  }
}

TEST_F(CaptionOrders, EveryCaptionOnceAndTriplesTogether) {
  for (const uint64_t sets : {0, 4}) {
    const PromptPlan plan = this->plan(kFewPairs, sets);
    const CaptionOrder order(plan, {100, 400});
    std::set<size_t> captions;
    std::set<PromptPlan::Triple> triples;
    for (size_t i = 0; i < order.size(); ++i) {
      captions.insert(order.caption(i));
      EXPECT_EQ(order.triple(i), plan.triple_of(order.caption(i)));
      const bool begins = i == 0 || order.triple(i) != order.triple(i - 1);
      EXPECT_EQ(triples.insert(order.triple(i)).second, begins) << i;
      EXPECT_TRUE(begins || order.caption(i - 1) < order.caption(i)) << i;
    }
    EXPECT_EQ(captions.size(), 300u);
    EXPECT_EQ(*captions.begin(), 100u);
    EXPECT_EQ(*captions.rbegin(), 399u);
    EXPECT_EQ(order.triples(), triples.size());
    EXPECT_LE(triples.size(), sets == 0 ? 6u : 4u);
  }
}

TEST_F(CaptionOrders, TheMostTriplesOfCaptionsInARow) {
  for (const size_t first : {0u, 250u, 500u, 750u, 1000u, 1250u}) {
    const CaptionOrder order(plan(kFewGroups, 0), {first, first + 250});
    for (const size_t window : {1u, 2u, 3u, 10u, 100u, 249u, 250u, 1000u}) {
      size_t most = 0;
      for (size_t begin = 0; begin < order.size(); ++begin) {
        std::set<PromptPlan::Triple> inside;
        for (size_t i = begin; i < std::min(begin + window, order.size()); ++i)
          inside.insert(order.triple(i));
        most = std::max(most, inside.size());
      }
      EXPECT_EQ(order.most_triples(window), most) << window;
    }
  }
}

}  // namespace
}  // namespace laclip

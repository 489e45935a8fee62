// Ranges of a pool: disjoint, joined again when they are given back.
#include "models/token_ranges.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/philox.h"

namespace laclip {
namespace {

TEST(TokenRanges, GapsAreJoinedAgain) {
  TokenRanges ranges(5, 25);
  EXPECT_EQ(ranges.take(10), 5);
  EXPECT_EQ(ranges.take(4), 15);
  EXPECT_EQ(ranges.take(7), std::nullopt);
  EXPECT_EQ(ranges.take(6), 19);
  EXPECT_EQ(ranges.take(1), std::nullopt);
  ranges.give_back(5, 10);
  ranges.give_back(19, 6);
  EXPECT_EQ(ranges.take(11), std::nullopt);  // two gaps
  ranges.give_back(15, 4);
  EXPECT_EQ(ranges.take(20), 5);
}

TEST(TokenRanges, NoPlaceIsGivenTwice) {
  constexpr int32_t kBegin = 3, kEnd = 400;
  TokenRanges ranges(kBegin, kEnd);
  Random random(1, RandomUse::test);
  std::vector<bool> taken(kEnd, false);
  std::vector<std::pair<int32_t, int32_t>> live;
  int refused = 0;
  for (int turn = 0; turn < 5000; ++turn) {
    if (live.empty() || random.below(2) == 0) {
      const auto count = int32_t(1 + random.below(60));
      const auto begin = ranges.take(count);
      refused += !begin;
      if (!begin) continue;
      ASSERT_TRUE(*begin >= kBegin && *begin + count <= kEnd);
      for (int32_t i = *begin; i < *begin + count; ++i) {
        ASSERT_FALSE(taken[size_t(i)]) << "turn " << turn;
        taken[size_t(i)] = true;
      }
      live.emplace_back(*begin, count);
    } else {
      std::swap(live[random.below(uint32_t(live.size()))], live.back());
      const auto [begin, count] = live.back();
      live.pop_back();
      for (int32_t i = begin; i < begin + count; ++i) taken[size_t(i)] = false;
      ranges.give_back(begin, count);
    }
  }
  EXPECT_GT(refused, 100);
  for (const auto& [begin, count] : live) ranges.give_back(begin, count);
  EXPECT_EQ(ranges.take(kEnd - kBegin), kBegin);
}

}  // namespace
}  // namespace laclip

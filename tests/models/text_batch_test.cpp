#include "models/text_transformer.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/check.h"

namespace laclip {
namespace {

TextBatch captions_of(int64_t rows, int64_t length) {
  TextBatch batch;
  for (; rows > 0; rows -= length)
    batch.add(std::vector<int32_t>(size_t(std::min(rows, length)), 7));
  return batch;
}

TEST(TextBatch, IsFilledUpToFewNumbersOfRows) {
  std::map<int64_t, std::set<size_t>> filled;  // sequences that were added, by rows
  for (int64_t rows = 4100; rows <= 8192; ++rows) {
    TextBatch batch = captions_of(rows, 77);
    const auto captions = batch.offsets.size();
    batch.fill_up(77, 1 << 20);
    EXPECT_GE(batch.tokens(), rows);
    EXPECT_LE(batch.tokens(), rows + rows / 32);
    EXPECT_EQ(batch.offsets.back(), batch.tokens());
    for (size_t s = captions; s < batch.offsets.size(); ++s)
      EXPECT_LE(batch.offsets[s] - batch.offsets[s - 1], 77);
    filled[batch.tokens()].insert(batch.offsets.size() - captions);
  }
  EXPECT_EQ(filled.size(), 32u);
  for (const auto& [rows, sequences] : filled)
    EXPECT_EQ(sequences.size(), rows < 8192 ? 1u : 2u) << rows;
}

TEST(TextBatch, WhatIsFilledUpLeavesTheCaptions) {
  TextBatch batch = captions_of(100, 30);
  const TextBatch before = batch;
  batch.fill_up(30, 120);  // 128 would be more than there is room for
  EXPECT_EQ(batch.tokens(), 120);
  EXPECT_EQ(batch.ends, before.ends);
  EXPECT_TRUE(std::equal(before.ids.begin(), before.ids.end(), batch.ids.begin()));
  EXPECT_TRUE(std::equal(before.offsets.begin(), before.offsets.end(), batch.offsets.begin()));
  EXPECT_EQ(batch.positions[100], 0);
  EXPECT_EQ(batch.positions[119], 19);
}

}  // namespace
}  // namespace laclip

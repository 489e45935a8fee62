#include "apps/evaluate/ranking.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/philox.h"

namespace laclip {
namespace {

TEST(Ranking, TiesGoToTheLowerIndex) {
  const std::vector<float> scores{0.5f, 0.9f, 0.5f, 0.1f};
  EXPECT_EQ(rank_of(scores, 1), 0);
  EXPECT_EQ(rank_of(scores, 0), 1);
  EXPECT_EQ(rank_of(scores, 2), 2);
  EXPECT_EQ(rank_of(scores, 3), 3);
}

TEST(Ranking, WhatIsNoNumberIsNoHit) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> broken(4, nan);
  for (int64_t target = 0; target < 4; ++target) EXPECT_EQ(rank_of(broken, target), 3);
  const std::vector<float> partly{nan, 0.9f, nan, 0.5f};
  EXPECT_EQ(rank_of(partly, 0), 3);
  EXPECT_EQ(rank_of(partly, 1), 2);
  EXPECT_EQ(rank_of(partly, 3), 3);
}

TEST(Ranking, AllFoundIsOne) {
  constexpr int64_t kCount = 49;  // 49 times 1/49 is 0.9999999999999998
  std::vector<float> rows(kCount * kCount);
  std::vector<int32_t> own;
  for (int64_t i = 0; i < kCount; ++i) {
    rows[size_t(i * kCount + i)] = 1;
    own.push_back(int32_t(i));
  }
  const RetrievalRecall recall = retrieval_recall(rows, rows, kCount, own);
  EXPECT_EQ(recall.image_to_text[0], 1.0);
  EXPECT_EQ(recall.text_to_image[0], 1.0);
}

TEST(Ranking, MeanPerClassLeavesAbsentClassesOut) {
  ClassificationCounter counter(3);
  counter.add(std::vector<float>{1, 0, 0}, 0);
  counter.add(std::vector<float>{1, 0, 0}, 0);
  counter.add(std::vector<float>{1, 0, 0}, 1);
  EXPECT_DOUBLE_EQ(counter.top1(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(counter.result()["mean_per_class_recall"].get<double>(), 0.5);
  EXPECT_TRUE(counter.result()["acc5"].is_null());
}

TEST(Ranking, TopFiveCountsTheFirstFive) {
  ClassificationCounter counter(6);
  const std::vector<float> scores{6, 5, 4, 3, 2, 1};
  counter.add(scores, 4);
  counter.add(scores, 5);
  EXPECT_DOUBLE_EQ(counter.result()["acc5"].get<double>(), 0.5);
}

// Against the definition: sort all candidates of each query.
TEST(Ranking, RetrievalAgreesWithSorting) {
  const int64_t images = 30, texts = 75, embed = 8;
  Random random(3, RandomUse::test);
  auto unit_rows = [&](int64_t rows) {
    std::vector<float> x(size_t(rows * embed));
    for (int64_t r = 0; r < rows; ++r) {
      float norm = 0;
      for (int64_t e = 0; e < embed; ++e) {
        x[size_t(r * embed + e)] = random.normal();
        norm += x[size_t(r * embed + e)] * x[size_t(r * embed + e)];
      }
      for (int64_t e = 0; e < embed; ++e) x[size_t(r * embed + e)] /= std::sqrt(norm);
    }
    return x;
  };
  const auto image = unit_rows(images), text = unit_rows(texts);
  std::vector<int32_t> image_of_text;
  for (int64_t t = 0; t < texts; ++t)
    image_of_text.push_back(int32_t(random.below(uint32_t(images))));

  const RetrievalRecall recall = retrieval_recall(image, text, embed, image_of_text);
  auto score = [&](int64_t i, int64_t t) {
    float sum = 0;
    for (int64_t e = 0; e < embed; ++e)
      sum += image[size_t(i * embed + e)] * text[size_t(t * embed + e)];
    return sum;
  };
  for (size_t k = 0; k < 3; ++k) {
    double found = 0;
    for (int64_t t = 0; t < texts; ++t) {
      std::vector<std::pair<float, int64_t>> order;
      for (int64_t i = 0; i < images; ++i) order.emplace_back(-score(i, t), i);
      std::sort(order.begin(), order.end());
      for (int j = 0; j < RetrievalRecall::kAt[k]; ++j)
        found += order[size_t(j)].second == image_of_text[size_t(t)];
    }
    EXPECT_NEAR(recall.text_to_image[k], found / double(texts), 1e-9);

    double hit = 0, asked = 0;
    for (int64_t i = 0; i < images; ++i) {
      std::vector<std::pair<float, int64_t>> order;
      bool has_text = false, any = false;
      for (int64_t t = 0; t < texts; ++t) {
        order.emplace_back(-score(i, t), t);
        has_text |= image_of_text[size_t(t)] == i;
      }
      std::sort(order.begin(), order.end());
      for (int j = 0; j < RetrievalRecall::kAt[k]; ++j)
        any |= image_of_text[size_t(order[size_t(j)].second)] == i;
      asked += has_text;
      hit += any;
    }
    EXPECT_NEAR(recall.image_to_text[k], hit / asked, 1e-9);
  }
}

}  // namespace
}  // namespace laclip

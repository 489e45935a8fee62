#include "apps/evaluate/ranking.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "kernels/ops/linear.h"

namespace laclip {
namespace {

// Calls body(q, scores of query q against all keys) for all queries, a block of them at a time.
template <class Body>
void for_each_query(std::span<const float> queries, std::span<const float> keys, int64_t embed,
                    Body&& body) {
  constexpr int64_t kBlock = 256;  // rows of the score matrix held at once
  const int64_t count = int64_t(queries.size()) / embed, candidates = int64_t(keys.size()) / embed;
  std::vector<float> scores(size_t(std::min(kBlock, count) * candidates));
  Stream stream;
  const Tensor key_rows = tensor_of(keys.data(), {candidates, embed});
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t rows = std::min(kBlock, count - begin);
    linear_forward(stream, tensor_of(scores.data(), {rows, candidates}),
                   tensor_of(queries.data() + begin * embed, {rows, embed}), key_rows, none, none);
    for (int64_t i = 0; i < rows; ++i)
      body(begin + i,
           std::span<const float>(scores).subspan(size_t(i * candidates), size_t(candidates)));
  }
}

// Counts the queries whose rank is among the first k, for each k.
struct RecallCounter {
  std::array<int64_t, 3> found{};
  int64_t queries = 0;
  void add(int64_t rank) {
    ++queries;
    for (size_t k = 0; k < found.size(); ++k) found[k] += rank < RetrievalRecall::kAt[k];
  }
  std::array<double, 3> shares() const {
    std::array<double, 3> result;
    for (size_t k = 0; k < found.size(); ++k) result[k] = double(found[k]) / double(queries);
    return result;
  }
};

}  // namespace

int64_t rank_of(std::span<const float> scores, int64_t target) {
  const float own = scores[size_t(target)];
  int64_t before = 0;
  for (int64_t i = 0; i < int64_t(scores.size()); ++i)  // a comparison with NaN is false
    before += i < target ? !(scores[size_t(i)] < own) : i > target && !(scores[size_t(i)] <= own);
  return before;
}

void ClassificationCounter::add(std::span<const float> scores, int64_t label) {
  const int64_t rank = rank_of(scores, label);
  Count& count = per_class_[size_t(label)];
  count.images += 1;
  count.top1 += rank < 1;
  count.top5 += rank < 5;
}

ClassificationCounter::Count ClassificationCounter::total() const {
  Count sum;
  for (const Count& count : per_class_) {
    sum.images += count.images;
    sum.top1 += count.top1;
    sum.top5 += count.top5;
  }
  return sum;
}

double ClassificationCounter::top1() const {
  const Count sum = total();
  return sum.images ? double(sum.top1) / double(sum.images) : 0;
}

Json ClassificationCounter::result() const {
  const Count sum = total();
  check(sum.images > 0, "no image was evaluated");
  double recall = 0;
  int64_t present = 0;
  for (const Count& count : per_class_) {
    if (count.images == 0) continue;
    recall += double(count.top1) / double(count.images);
    ++present;
  }
  Json json = {{"acc1", top1()},
               {"acc5", nullptr},
               {"mean_per_class_recall", recall / double(present)}};
  if (per_class_.size() >= 5) json["acc5"] = double(sum.top5) / double(sum.images);
  return json;
}

Json RetrievalRecall::result() const {
  Json json = Json::object();
  for (size_t k = 0; k < kAt.size(); ++k)
    json[fmt::format("image_to_text_R@{}", kAt[k])] = image_to_text[k];
  for (size_t k = 0; k < kAt.size(); ++k)
    json[fmt::format("text_to_image_R@{}", kAt[k])] = text_to_image[k];
  return json;
}

RetrievalRecall retrieval_recall(std::span<const float> images, std::span<const float> texts,
                                 int64_t embed, std::span<const int32_t> image_of_text) {
  const int64_t image_count = int64_t(images.size()) / embed,
                text_count = int64_t(image_of_text.size());
  check(image_count > 0 && text_count > 0, "retrieval needs images and texts; {} and {} given",
        image_count, text_count);

  std::vector<std::vector<int32_t>> texts_of(static_cast<size_t>(image_count));
  for (int64_t t = 0; t < text_count; ++t)
    texts_of[size_t(image_of_text[size_t(t)])].push_back(int32_t(t));

  RecallCounter to_image, to_text;
  for_each_query(texts, images, embed, [&](int64_t text, std::span<const float> scores) {
    to_image.add(rank_of(scores, image_of_text[size_t(text)]));
  });
  for_each_query(images, texts, embed, [&](int64_t image, std::span<const float> scores) {
    const auto& own = texts_of[size_t(image)];
    if (own.empty()) return;  // an image without texts asks for nothing
    int64_t best = std::numeric_limits<int64_t>::max();
    for (int32_t text : own) best = std::min(best, rank_of(scores, text));
    to_text.add(best);
  });
  return {to_text.shares(), to_image.shares()};
}

}  // namespace laclip

// What is counted in an evaluation, from scores (cosines of unit features; larger is nearer).
// Ties are broken towards the lower index, so a constant model scores by chance, not by luck; a
// score that is no number stands before every other candidate, so a broken model scores nothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"

namespace laclip {

// Zero-shot classification: fed one image at a time.
class ClassificationCounter {
 public:
  explicit ClassificationCounter(int64_t classes) : per_class_(size_t(classes)) {}
  void add(std::span<const float> scores, int64_t label);

  // {"acc1","acc5","mean_per_class_recall"} as CLIP_benchmark names them; acc5 is null below five
  // classes; classes without images do not count into the mean.
  Json result() const;
  double top1() const;
  int64_t images() const { return total().images; }

 private:
  struct Count {
    int64_t images = 0, top1 = 0, top5 = 0;
  };
  Count total() const;
  std::vector<Count> per_class_;
};

// The place of candidate `target` among the scores: 0 = nearest.
int64_t rank_of(std::span<const float> scores, int64_t target);

// Retrieval in both directions over all pairs, without the images × texts matrix in memory.
// images[I E] and texts[T E] are unit features in rows; image_of_text[t] is the image of text t; an
// image may have any number of texts, and counts as found if any of them is in the first k.
struct RetrievalRecall {
  static constexpr std::array<int, 3> kAt{1, 5, 10};
  std::array<double, 3> image_to_text{}, text_to_image{};  // shares
  Json result() const;                                     // {"image_to_text_R@1", …}
};
RetrievalRecall retrieval_recall(std::span<const float> images, std::span<const float> texts,
                                 int64_t embed, std::span<const int32_t> image_of_text);

}  // namespace laclip

// Features of many images and texts, by blocks: evaluation.
#pragma once

#include <vector>

#include "models/clip.h"

namespace laclip {

class ClipEncoder {
 public:
  ClipEncoder(const Clip& model, int64_t block);

  // images[n R R 3] uint8, n any -> unit features [n E]
  std::vector<float> encode_images(const Tensor& images);
  std::vector<float> encode_texts(const std::vector<std::vector<int32_t>>& captions);

 private:
  int64_t plan() const;
  const Clip& model_;
  int64_t block_, embed_;
  Stream stream_;
  Arena arena_;
};

}  // namespace laclip

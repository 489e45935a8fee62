// Crops of decoded images as one piece of memory, on their way to resize_crops (kernels/ops/image.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/tensor.h"

namespace laclip {

// One crop, and the input pixels of each output along an axis: input first + i has weight i of `most`.
struct DecodedCrop {
  struct Axis {
    int most;
    std::span<const int> first, count, weights;
  };
  std::span<const uint8_t> rgb;  // [height width 3]
  int width, height;
  Axis columns, rows;
};

// Operands of resize_crops.
struct CropTensors {
  Tensor pixels, crops, taps;
};

class CropLayout {
 public:
  explicit CropLayout(std::span<const DecodedCrop> crops);  // which must outlive it
  int64_t bytes() const { return taps_begin_ + 4 * taps_; }
  void write(std::byte* to) const;
  CropTensors tensors(const Tensor& memory) const;  // views of bytes() bytes, u8

 private:
  std::span<const DecodedCrop> crops_;
  std::vector<int64_t> begins_;  // of each crop's pixels
  int64_t pixels_ = 0, crops_begin_ = 0, taps_begin_ = 0, taps_ = 0;
};

}  // namespace laclip

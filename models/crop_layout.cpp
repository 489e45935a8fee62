#include "models/crop_layout.h"

#include <algorithm>

#include "kernels/core/memory.h"
#include "kernels/ops/image.h"

namespace laclip {
namespace {

int64_t round_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }
int64_t taps_of(const DecodedCrop::Axis& axis) {
  return int64_t(1 + axis.first.size() + axis.count.size() + axis.weights.size());
}

}  // namespace

CropLayout::CropLayout(std::span<const DecodedCrop> crops) : crops_(crops) {
  for (const DecodedCrop& crop : crops) {
    begins_.push_back(pixels_);
    pixels_ = round_up(pixels_ + int64_t(crop.rgb.size()), kCropAlignment);
    taps_ += taps_of(crop.columns) + taps_of(crop.rows);
  }
  crops_begin_ = round_up(pixels_, kAlignment);
  taps_begin_ = round_up(crops_begin_ + 4 * kCropFields * int64_t(crops.size()), kAlignment);
}

void CropLayout::write(std::byte* to) const {
  auto* fields = reinterpret_cast<int32_t*>(to + crops_begin_);
  auto* const first = reinterpret_cast<int32_t*>(to + taps_begin_);
  int32_t* taps = first;
  const auto put_axis = [&](const DecodedCrop::Axis& axis) {
    const auto at = int32_t(taps - first);
    *taps++ = axis.most;
    for (const auto& list : {axis.first, axis.count, axis.weights})
      taps = std::copy(list.begin(), list.end(), taps);
    return at;
  };
  for (size_t b = 0; b < crops_.size(); ++b) {
    const DecodedCrop& crop = crops_[b];
    std::copy(crop.rgb.begin(), crop.rgb.end(), reinterpret_cast<uint8_t*>(to) + begins_[b]);
    *fields++ = int32_t(begins_[b] / kCropAlignment);
    *fields++ = crop.width;
    *fields++ = crop.height;
    *fields++ = put_axis(crop.columns);
    *fields++ = put_axis(crop.rows);
  }
}

CropTensors CropLayout::tensors(const Tensor& memory) const {
  const auto view = [&](int64_t begin, Shape shape, DType type) {
    return Tensor{static_cast<std::byte*>(memory.data) + begin, shape, type, memory.device};
  };
  return {view(0, {pixels_}, DType::u8),
          view(crops_begin_, {int64_t(crops_.size()), kCropFields}, DType::i32),
          view(taps_begin_, {taps_}, DType::i32)};
}

}  // namespace laclip

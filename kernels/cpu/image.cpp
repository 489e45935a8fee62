#include "kernels/ops/image.h"

#include <algorithm>
#include <vector>

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

uint8_t to_byte(int sum) { return uint8_t(std::clamp(sum >> kTapBits, 0, 255)); }
constexpr int kHalf = 1 << (kTapBits - 1);

struct Taps {
  int most;
  const int32_t *first, *count, *weight;
};

// Of `outputs` pixels from `inputs`; Error if they lead outside.
Taps taps_at(In taps, int32_t at, int64_t outputs, int32_t inputs, int64_t b) {
  const auto* list = taps.as<int32_t>();
  const bool begins = at >= 0 && at < taps[0];
  const int64_t most = begins ? list[at] : 0;
  check(begins && most >= 0 && at + 1 + outputs * (2 + most) <= taps[0],
        "resize_crops: crop {}: its taps from {} on reach over the {} that there are", b, at,
        taps[0]);
  const int32_t *first = list + at + 1, *count = first + outputs;
  for (int64_t o = 0; o < outputs; ++o)
    check(first[o] >= 0 && count[o] >= 0 && count[o] <= most &&
              int64_t(first[o]) + count[o] <= inputs,
          "resize_crops: crop {}: pixel {} takes {} from {} of {}", b, o, count[o], first[o],
          inputs);
  return {int(most), first, count, count + outputs};
}

void resize(uint8_t* y, const uint8_t* crop, int width, int height, const Taps& across,
            const Taps& down, int64_t R, int64_t S) {
  std::vector<uint8_t> narrow(size_t(height) * size_t(S) * 3);
  for (int v = 0; v < height; ++v)
    for (int64_t u = 0; u < S; ++u)
      for (int c = 0; c < 3; ++c) {
        const uint8_t* in = crop + (int64_t(v) * width + across.first[u]) * 3 + c;
        int sum = kHalf;
        for (int i = 0; i < across.count[u]; ++i)
          sum += in[3 * i] * across.weight[u * across.most + i];
        narrow[size_t((v * S + u) * 3 + c)] = to_byte(sum);
      }
  for (int64_t w = 0; w < R; ++w)
    for (int64_t column = 0; column < S * 3; ++column) {
      const uint8_t* in = narrow.data() + down.first[w] * S * 3 + column;
      int sum = kHalf;
      for (int i = 0; i < down.count[w]; ++i) sum += in[i * S * 3] * down.weight[w * down.most + i];
      y[w * S * 3 + column] = to_byte(sum);
    }
}

}  // namespace

void resize_crops(Stream&, Out y, In pixels, In crops, In taps) {
  check_crop_fields(crops);
  const int64_t B = y[0], R = y[1], S = y[2];
  for (int64_t b = 0; b < B; ++b) {
    const int32_t* crop = crops.as<int32_t>() + b * kCropFields;
    const int64_t begin = crop[0] * kCropAlignment, width = crop[1], height = crop[2];
    check(begin >= 0 && width >= 0 && height >= 0 && begin <= pixels[0] &&
              width * height <= (pixels[0] - begin) / 3,
          "resize_crops: crop {} of {}×{} from byte {} on reaches over the {} that there are", b,
          width, height, begin, pixels[0]);
    resize(y.as<uint8_t>() + b * R * S * 3, pixels.as<uint8_t>() + begin, int(width), int(height),
           taps_at(taps, crop[3], S, crop[1], b), taps_at(taps, crop[4], R, crop[2], b), R, S);
  }
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

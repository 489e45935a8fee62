#include "kernels/ops/image.h"

#include <algorithm>

#include "kernels/cuda/device/launch.cuh"

namespace laclip::cuda {
namespace {

constexpr int kHalf = 1 << (kTapBits - 1);
__device__ int to_byte(int sum) { return min(max(sum >> kTapBits, 0), 255); }

// The taps of one output pixel along an axis; count = -1: they lead outside.
struct Taps {
  int first, count;
  const int32_t* weight;

  __device__ Taps(const int32_t* list, int64_t length, int64_t at, int64_t outputs, int64_t output,
                  int inputs)
      : first(0), count(-1), weight(list) {
    if (at < 0 || at >= length) return;
    const int64_t most = list[at], begin = at + 1;
    if (most < 0 || begin + outputs * (2 + most) > length) return;
    const int from = list[begin + output], taps = list[begin + outputs + output];
    if (from < 0 || taps < 0 || taps > most || int64_t(from) + taps > inputs) return;
    first = from;
    count = taps;
    weight = list + begin + 2 * outputs + output * most;
  }
};

// A thread has a pixel of y. It makes what it needs of the pass across anew, which costs 4 to 16 products
// for each pixel of the crop and spares the memory between the passes; neighbours read the same lines.
__global__ void resize_crops_kernel(uint8_t* y, const uint8_t* pixels, const int32_t* crops,
                                    const int32_t* taps, int64_t B, int64_t R, int64_t S, int64_t L,
                                    int64_t K, FaultSink fault) {
  for (int64_t i = grid_index(); i < B * R * S; i += grid_stride()) {
    const int64_t b = i / (R * S), row = i / S % R, column = i % S;
    const int32_t* crop = crops + b * kCropFields;
    const int64_t begin = crop[0] * kCropAlignment;
    const int width = crop[1], height = crop[2];
    const Taps across(taps, K, crop[3], S, column, width), down(taps, K, crop[4], R, row, height);
    int sum[3] = {kHalf, kHalf, kHalf};
    if (begin < 0 || width < 0 || height < 0 || begin > L ||
        int64_t(width) * height > (L - begin) / 3 || across.count < 0 || down.count < 0) {
      report(fault, KernelFault::id_outside, b, crop[0], L);
    } else {
      const uint8_t* line = pixels + begin + (int64_t(down.first) * width + across.first) * 3;
      for (int v = 0; v < down.count; ++v, line += 3 * int64_t(width)) {
        int narrow[3] = {kHalf, kHalf, kHalf};
        for (int u = 0; u < across.count; ++u)
#pragma unroll
          for (int c = 0; c < 3; ++c) narrow[c] += line[3 * u + c] * across.weight[u];
#pragma unroll
        for (int c = 0; c < 3; ++c) sum[c] += to_byte(narrow[c]) * down.weight[v];
      }
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) y[3 * i + c] = uint8_t(to_byte(sum[c]));
  }
}

}  // namespace

void resize_crops(Stream& stream, Out y, In pixels, In crops, In taps) {
  check_crop_fields(crops);
  const int64_t B = y[0], R = y[1], S = y[2];
  if (B * R * S == 0) return;
  launch<resize_crops_kernel>(stream, grid_of(B * R * S), y.as<uint8_t>(), pixels.as<uint8_t>(),
                              crops.as<int32_t>(), taps.as<int32_t>(), B, R, S, pixels[0], taps[0],
                              stream.fault());
}

}  // namespace laclip::cuda

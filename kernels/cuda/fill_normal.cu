#include "kernels/ops/fill_normal.h"

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

// A thread has a pack of 16 bytes: one or two blocks of Philox, some 60 instructions an element, which
// with bf16 is about as long as its 2 bytes take to memory.
template <class T>
__global__ void fill_normal_kernel(T* y, float deviation, uint64_t seed, int64_t count, bool wide) {
  constexpr int kPack = kPackSize<T>;
  for (int64_t at = grid_index() * kPack; at < count; at += grid_stride() * kPack) {
    Pack<T> pack;
#pragma unroll
    for (int first = 0; first < kPack; first += 4) {
      const NormalFour four = normal_four(seed, (at + first) / 4);
#pragma unroll
      for (int e = 0; e < 4; ++e) store(pack[first + e], deviation * four.values[e]);
    }
    if (wide && at + kPack <= count) {
      store16_global(y + at, pack);
      continue;
    }
#pragma unroll
    for (int e = 0; e < kPack; ++e)
      if (at + e < count) y[at + e] = pack[e];
  }
}

}  // namespace

void fill_normal(Stream& stream, Out y, float deviation, uint64_t seed) {
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    const int64_t count = y.elements();
    launch<fill_normal_kernel<T>>(stream, grid_of(ceil_div(count, kPackSize<T>)), y.as<T>(),
                                  deviation, seed, count, packs<T>(kPackSize<T>, y.as<T>()));
  });
}

}  // namespace laclip::cuda

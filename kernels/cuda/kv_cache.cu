#include "kernels/ops/kv_cache.h"

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

// A unit is a pack of 16 bytes, or one element where rows are not aligned. Reads and writes each
// key and value once.
template <class Unit>
__global__ void append_kernel(Unit* keys, Unit* values, const Unit* qkv, const int32_t* where,
                              int64_t N, int64_t T, int64_t width, int64_t row, FaultSink fault) {
  for (int64_t i = grid_index(); i < N * width; i += grid_stride()) {
    const int64_t n = i / width, column = i - n * width;
    const int64_t place = where[n];
    if (place < 0 || place >= T) {
      if (column == 0) report(fault, KernelFault::id_outside, n, place, T);
      continue;
    }
    const Unit* key = qkv + (n + 1) * row - 2 * width + column;
    keys[place * width + column] = key[0];
    values[place * width + column] = key[width];
  }
}

}  // namespace

void kv_append(Stream& stream, InOut keys, InOut values, In qkv, In where) {
  const int64_t N = qkv[0], T = keys[0], width = keys[1], row = qkv[1];
  check_cache_rows(keys, qkv);
  if (N == 0) return;
  dispatch_float(keys.dtype, [&]<class X>(TypeTag<X>) {
    constexpr int64_t kSize = kPackSize<X>;
    X *to_keys = keys.as<X>(), *to_values = values.as<X>();
    const X* from = qkv.as<X>();
    if (row % kSize == 0 && packs<X>(width, to_keys, to_values, from))
      launch<append_kernel<Pack<X>>>(stream, grid_of(N * width / kSize),
                                     reinterpret_cast<Pack<X>*>(to_keys),
                                     reinterpret_cast<Pack<X>*>(to_values),
                                     reinterpret_cast<const Pack<X>*>(from), where.as<int32_t>(), N,
                                     T, width / kSize, row / kSize, stream.fault());
    else
      launch<append_kernel<X>>(stream, grid_of(N * width), to_keys, to_values, from,
                               where.as<int32_t>(), N, T, width, row, stream.fault());
  });
}

}  // namespace laclip::cuda

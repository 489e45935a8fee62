// What the kernels of gemm.h share: which tile of c a block makes, and how it goes to memory.
#pragma once

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {

// Blocks in the order of their numbers go down bands of this many tiles, so that those under way at
// one time (some 264) read about as many rows of a as columns of b, and find them in the L2 cache.
inline constexpr unsigned kBandOfTiles = 8;

struct TileOrigin {
  int64_t row, column;
};
template <int kM, int kN>
__device__ TileOrigin tile_of_block(int64_t m, int64_t n) {
  const auto rows = unsigned((m + kM - 1) / kM), columns = unsigned((n + kN - 1) / kN);
  const unsigned of_band = kBandOfTiles * columns, first = blockIdx.x / of_band * kBandOfTiles;
  const unsigned height = min(kBandOfTiles, rows - first), within = blockIdx.x % of_band;
  return {int64_t(first + within % height) * kM, int64_t(within / height) * kN};
}

// Where results go: c, or with split K the part of blockIdx.y in scratch memory.
struct GemmOutput {
  void* c;
  const void* bias;
  float* row_sums;
  int64_t m, n;
  int64_t part;  // elements from one part of K to the next; 0: c itself
  bool to_f32, accumulate;
  bool wide;  // rows of c begin at multiples of 16 bytes, and n is a multiple of 8

  __device__ void select_part() {
    if (part == 0) return;
    c = static_cast<float*>(c) + int64_t(blockIdx.y) * part;
    if (row_sums) row_sums += int64_t(blockIdx.y) * part;
  }
  template <class T>
  __device__ float bias_of(int64_t column) const {
    return bias && column < n ? float(static_cast<const T*>(bias)[column]) : 0.0f;
  }
  __device__ void put(int64_t row, int64_t column, float value) const {
    if (row >= m || column >= n) return;
    const int64_t at = row * n + column;
    if (!to_f32) return store(static_cast<bf16*>(c)[at], value);
    float& to = static_cast<float*>(c)[at];
    to = accumulate ? to + value : value;
  }
  // Four columns, or none, lie inside; to_f32 and wide.
  __device__ void put4(int64_t row, int64_t column, Pack<float> values) const {
    if (row >= m || column >= n) return;
    float* to = static_cast<float*>(c) + row * n + column;
    if (accumulate) {
      const Pack<float> before = load16(to);
#pragma unroll
      for (int e = 0; e < 4; ++e) values[e] = before[e] + values[e];
    }
    store16(to, values);
  }
  __device__ void put_row_sum(int64_t row, float value) const {
    if (row < m) row_sums[row] = accumulate ? row_sums[row] + value : value;
  }
};

}  // namespace laclip::cuda

// What the kernels of gemm.h share: which tile of c a block makes, and how it goes to memory.
#pragma once

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/ptx.cuh"
#include "kernels/cuda/device/reduce.cuh"
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

// v of lane t, element q of the four lanes of a group becomes element t of lane q.
__device__ inline void transpose_in_fours(uint32_t (&v)[4]) {
#pragma unroll
  for (int bit = 1; bit <= 2; bit *= 2) {
    const bool upper = (lane_of_thread() & bit) != 0;
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      if (q & bit) continue;
      const uint32_t got = __shfl_xor_sync(kFullWarp, upper ? v[q] : v[q + bit], bit);
      (upper ? v[q] : v[q + bit]) = got;
    }
  }
}

// The sums of a warp to c: fragment (i, j) holds rows row0 + 16 i + {g, g + 8}, columns column0 +
// 8 j + {2t, 2t + 1}, where g = lane / 4, t = lane % 4. Lanes exchange so that each has 16 bytes.
template <int kMs, int kNs>
__device__ void put_fragments(const GemmOutput& out, const float (&sum)[kMs][kNs][4], int64_t row0,
                              int64_t column0) {
  constexpr int kGroup = kNs < 4 ? kNs : 4;  // fragments side by side
  static_assert(kNs % kGroup == 0 && kGroup % 2 == 0);
  const int g = lane_of_thread() / 4, t = lane_of_thread() % 4;
#pragma unroll
  for (int j0 = 0; j0 < kNs; j0 += kGroup) {
    const int64_t group_column = column0 + 8 * j0;
    float bias[kGroup][2];
#pragma unroll
    for (int q = 0; q < kGroup; ++q)
#pragma unroll
      for (int e = 0; e < 2; ++e) bias[q][e] = out.bias_of<bf16>(group_column + 8 * q + 2 * t + e);
#pragma unroll
    for (int half = 0; half < 2 * kMs; ++half) {
      const int64_t row = row0 + 8 * half + g;
      float v[kGroup][2];
#pragma unroll
      for (int q = 0; q < kGroup; ++q)
#pragma unroll
        for (int e = 0; e < 2; ++e) v[q][e] = sum[half / 2][j0 + q][half % 2 * 2 + e] + bias[q][e];
      if (out.wide && out.to_f32) {
        const bool odd = t % 2 == 1;
#pragma unroll
        for (int q = 0; q < kGroup; q += 2) {
          Pack<float> quad;
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            const float got = __shfl_xor_sync(kFullWarp, odd ? v[q][e] : v[q + 1][e], 1);
            quad[e] = odd ? got : v[q][e];
            quad[2 + e] = odd ? v[q + 1][e] : got;
          }
          out.put4(row, group_column + 8 * (q + t % 2) + 2 * (t - t % 2), quad);
        }
        continue;
      }
      if constexpr (kGroup == 4) {
        if (out.wide) {
          Pack<bf16> pack;
          uint32_t pairs[4];
#pragma unroll
          for (int q = 0; q < 4; ++q) pairs[q] = pack_bf16(v[q][0], v[q][1]);
          transpose_in_fours(pairs);
          const int64_t column = group_column + 8 * t;
#pragma unroll
          for (int e = 0; e < 8; ++e) pack[e].bits = uint16_t(pairs[e / 2] >> 16 * (e % 2));
          if (row < out.m && column < out.n)
            store16(static_cast<bf16*>(out.c) + row * out.n + column, pack);
          continue;
        }
      }
#pragma unroll
      for (int q = 0; q < kGroup; ++q)
#pragma unroll
        for (int e = 0; e < 2; ++e) out.put(row, group_column + 8 * q + 2 * t + e, v[q][e]);
    }
  }
}

}  // namespace laclip::cuda

// What the kernels of gemm.h share: which tile of c a block makes, and how it goes to memory.
#pragma once

#include "kernels/cuda/device/activation.cuh"
#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/ptx.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/vec.cuh"
#include "kernels/cuda/gemm.h"

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

// How a warp writes its results: a kernel is compiled for one of them, so that its code stays small enough
// for the instruction cache.
enum class Store : uint8_t {
  elements,  // one by one, f32 or bf16
  f32_packs,  // 16 bytes at a time, for which rows of c, beside and kept begin at multiples of 16 bytes,
  bf16_packs  // and n is a multiple of 8
};

// Where results go: c, or with split K the part of blockIdx.y in scratch memory.
struct GemmOutput {
  void* c;
  const void* bias = nullptr;
  const void* beside = nullptr;  // [M N] as c: skip of a sum, u of a slope
  void* kept = nullptr;
  float* row_sums = nullptr;
  int64_t m, n;
  int64_t part = 0;  // elements from one part of K to the next; 0: c itself
  bool to_f32, accumulate = false, quick = false;

  __device__ void select_part() {
    if (part == 0) return;
    c = static_cast<float*>(c) + int64_t(blockIdx.y) * part;
    if (row_sums) row_sums += int64_t(blockIdx.y) * part;
  }
  template <class T>
  __device__ float bias_of(int64_t column) const {
    return bias && column < n ? float(static_cast<const T*>(bias)[column]) : 0.0f;
  }
  __device__ float activation(float u) const {
    return quick ? QuickGelu::value(u) : Gelu::value(u);
  }
  __device__ float slope(float u) const { return quick ? QuickGelu::slope(u) : Gelu::slope(u); }
  // A sum with what lies beside it, where there is something.
  template <Epilogue kEpilogue>
  __device__ float joined(float value, float other) const {
    return kEpilogue == Epilogue::slope ? value * slope(other) : value + other;
  }

  template <Epilogue kEpilogue>
  __device__ void put(int64_t row, int64_t column, float value) const {
    if (row >= m || column >= n) return;
    to_f32 ? put_as<kEpilogue, float>(row * n + column, value)
           : put_as<kEpilogue, bf16>(row * n + column, value);
  }
  template <Epilogue kEpilogue, class T>
  __device__ void put_as(int64_t at, float value) const {
    T& to = static_cast<T*>(c)[at];
    if constexpr (kEpilogue == Epilogue::activation) {
      T u;
      store(u, value);
      if (kept) static_cast<T*>(kept)[at] = u;
      value = activation(float(u));
    } else if (beside) {
      value = joined<kEpilogue>(value, float(static_cast<const T*>(beside)[at]));
    }
    store(to, accumulate ? float(to) + value : value);
  }
  // Four columns, or none, lie inside; Store::f32_packs.
  template <Epilogue kEpilogue>
  __device__ void put4(int64_t row, int64_t column, Pack<float> values) const {
    if (row >= m || column >= n) return;
    const int64_t at = row * n + column;
    float* to = static_cast<float*>(c) + at;
    if constexpr (kEpilogue == Epilogue::activation) {
      if (kept) store16_global(static_cast<float*>(kept) + at, values);
#pragma unroll
      for (int e = 0; e < 4; ++e) values[e] = activation(values[e]);
    } else if (beside) {
      const Pack<float> other = load16(static_cast<const float*>(beside) + at);
#pragma unroll
      for (int e = 0; e < 4; ++e) values[e] = joined<kEpilogue>(values[e], other[e]);
    }
    if (accumulate) {
      const Pack<float> before = load16(to);
#pragma unroll
      for (int e = 0; e < 4; ++e) values[e] = before[e] + values[e];
    }
    store16_global(to, values);
  }
  // The same of bf16 in the layout of fragments: fragment q of the four side by side holds columns
  // column + 8 q + {2t, 2t + 1} of a row, t = lane % 4. Store::bf16_packs. All lanes of a warp.
  template <Epilogue kEpilogue>
  __device__ void put_fragment_row(int64_t row, int64_t column, float (&v)[4][2]) const;
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

template <Epilogue kEpilogue>
__device__ void GemmOutput::put_fragment_row(int64_t row, int64_t column, float (&v)[4][2]) const {
  const int64_t mine = column + 8 * (lane_of_thread() % 4), at = row * n + mine;
  const bool inside = row < m && mine < n;
  const auto store_pairs = [&](void* to) {
    uint32_t pairs[4];
#pragma unroll
    for (int q = 0; q < 4; ++q) pairs[q] = pack_bf16(v[q][0], v[q][1]);
    transpose_in_fours(pairs);
    if (inside) store_global16(static_cast<bf16*>(to) + at, pairs);
  };
  if constexpr (kEpilogue == Epilogue::activation) {
    if (kept) store_pairs(kept);
#pragma unroll
    for (int q = 0; q < 4; ++q)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        bf16 u;
        store(u, v[q][e]);
        v[q][e] = activation(float(u));
      }
  } else if (beside) {
    Pack<bf16> pack;
    if (inside) pack = load16(static_cast<const bf16*>(beside) + at);
    uint32_t pairs[4];
#pragma unroll
    for (int q = 0; q < 4; ++q)
      pairs[q] = inside ? pack[2 * q].bits | uint32_t(pack[2 * q + 1].bits) << 16 : 0;
    transpose_in_fours(pairs);
#pragma unroll
    for (int q = 0; q < 4; ++q)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        bf16 other;
        other.bits = uint16_t(pairs[q] >> 16 * e);
        v[q][e] = joined<kEpilogue>(v[q][e], float(other));
      }
  }
  store_pairs(c);
}

// The sums of a warp to c: fragment (i, j) holds rows row0 + 16 i + {g, g + 8}, columns column0 +
// 8 j + {2t, 2t + 1}, where g = lane / 4, t = lane % 4. Lanes exchange so that each has 16 bytes.
template <Epilogue kEpilogue, Store kStore, int kMs, int kNs>
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
      if constexpr (kStore == Store::f32_packs) {
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
          out.put4<kEpilogue>(row, group_column + 8 * (q + t % 2) + 2 * (t - t % 2), quad);
        }
      } else if constexpr (kStore == Store::bf16_packs && kGroup == 4) {
        out.put_fragment_row<kEpilogue>(row, group_column, v);
      } else {
#pragma unroll
        for (int q = 0; q < kGroup; ++q)
#pragma unroll
          for (int e = 0; e < 2; ++e)
            out.put<kEpilogue>(row, group_column + 8 * q + 2 * t + e, v[q][e]);
      }
    }
  }
}

// The same of a thread's sums on the FMA units: those of i are in row row0 + i % 4 + 16 (i / 4), of j in
// column column0 + j % 4 + 32 (j / 4).
template <Epilogue kEpilogue, Store kStore, int kColumns>
__device__ void put_quads(const GemmOutput& out, const float (&sum)[8][kColumns], int64_t row0,
                          int64_t column0) {
#pragma unroll
  for (int j = 0; j < kColumns; j += 4) {
    const int64_t column = column0 + j / 4 * 32;
    Pack<float> bias;
#pragma unroll
    for (int e = 0; e < 4; ++e) bias[e] = out.bias_of<float>(column + e);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int64_t row = row0 + i / 4 * 16 + i % 4;
      Pack<float> values;
#pragma unroll
      for (int e = 0; e < 4; ++e) values[e] = sum[i][j + e] + bias[e];
      if constexpr (kStore == Store::f32_packs) {
        out.put4<kEpilogue>(row, column, values);
      } else {
#pragma unroll
        for (int e = 0; e < 4; ++e) out.put<kEpilogue>(row, column + e, values[e]);
      }
    }
  }
}

}  // namespace laclip::cuda

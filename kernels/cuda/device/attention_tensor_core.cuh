// Tiles in shared memory and their products on tensor cores, for attention in bf16 (Dao 2023).
//
// A warp owns 16 rows of a block's tile: queries against passing tiles of keys, or keys against
// passing tiles of queries. Products come in two kinds:
//
//   multiply     s[16 R] = own[16 D] · passing[R D]ᵀ
//   accumulate   out[16 D] += p[16 R] · passing[R D]        p from the registers that held s
//
// How fragments lie in the lanes: kernels/simt/tensor_core.h.
#pragma once

#include <cfloat>
#include <numeric>

#include "kernels/cuda/device/attention_geometry.cuh"
#include "kernels/cuda/device/ptx.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {

inline constexpr int kTileRows = 64, kTileThreads = 128;  // a warp for 16 rows

// kRows rows of kD values of bf16, two in a word. The 16-byte chunks of a row change places so that
// ldmatrix, which reads one chunk of 8 rows, finds them in 8 different groups of banks.
template <int kD, int kRows = kTileRows>
struct HeadTile {
  static_assert(kD % 16 == 0);
  static constexpr int kChunks = kD / 8;
  uint32_t words[kRows * kD / 2];

  static __device__ int place(int row, int chunk) {
    constexpr int kBanks = std::gcd(kChunks, 8);  // rows 8 / kBanks apart begin in one bank group
    return row * (kD / 2) + (chunk ^ (row / (8 / kBanks) % kBanks)) * 4;
  }
  __device__ uint32_t* chunk(int row, int chunk) { return words + place(row, chunk); }
  __device__ const uint32_t* chunk(int row, int chunk) const { return words + place(row, chunk); }
};

// kThreads threads start to copy `rows` rows of D values; the tile beyond them becomes zero.
template <int kThreads, int kD, int kRows>
__device__ void load_tile(HeadTile<kD, kRows>& to, const bf16* from, int64_t stride, int rows,
                          int D) {
  constexpr int kChunks = kD / 8;
  static_assert(kRows * kChunks % kThreads == 0);
  const int thread = int(threadIdx.x) % kThreads;
  if constexpr (kThreads % kChunks == 0) {  // a thread has one chunk of every kAtOnce-th row
    constexpr int kAtOnce = kThreads / kChunks;
    const int row = thread / kChunks, chunk = thread % kChunks,
              left = chunk * 8 < D ? rows - row : 0;
    const bf16* at = from + row * stride + chunk * 8;
#pragma unroll 4  // more would keep more addresses in registers
    for (int i = 0; i < kRows; i += kAtOnce, at += kAtOnce * stride)
      cp_async16(to.chunk(row + i, chunk), at, i < left ? 16 : 0);  // of 0 bytes nothing is read
  } else {
#pragma unroll
    for (int item = thread; item < kRows * kChunks; item += kThreads) {
      const int row = item / kChunks, chunk = item % kChunks;
      const bool there = row < rows && chunk * 8 < D;
      cp_async16(to.chunk(row, chunk), from + row * stride + chunk * 8, there ? 16 : 0);
    }
  }
}

// A warp writes its 16 rows of the tile, of which `rows` exist.
template <int kD>
__device__ void store_rows(bf16* to, int64_t stride, const float (&values)[kD / 8][4],
                           const float (&factor)[2], HeadTile<kD>& room, int rows, int D) {
  constexpr int kChunks = HeadTile<kD>::kChunks;
  const int lane = lane_of_thread(), own = warp_of_thread() * 16;
  __syncwarp();  // no lane of the warp reads its rows of the tile any more
#pragma unroll
  for (int n = 0; n < kChunks; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      room.chunk(own + lane / 4 + 8 * half, n)[lane % 4] =
          pack_bf16(values[n][2 * half] * factor[half], values[n][2 * half + 1] * factor[half]);
  __syncwarp();  // the rows of the warp are there
#pragma unroll
  for (int i = 0; i < kChunks / 2; ++i) {
    const int item = i * kWarpSize + lane, row = item / kChunks, chunk = item % kChunks;
    if (own + row < rows && chunk * 8 < D)
      store16(to + (own + row) * stride + chunk * 8,
              load16(reinterpret_cast<const bf16*>(room.chunk(own + row, chunk))));
  }
}

// 16 rows of a tile as left factors of a warp: kept in registers, or read again for every product.
template <int kD, bool kKept, int kRows = kTileRows>
class OwnRows {
 public:
  __device__ OwnRows(const HeadTile<kD, kRows>& tile, int first) : tile_(tile), first_(first) {}
  __device__ void load() {
    if constexpr (kKept)
#pragma unroll
      for (int k = 0; k < kD / 16; ++k) read(kept_[k], k);
  }
  __device__ void get(uint32_t (&a)[4], int k) const {
    if constexpr (kKept)
#pragma unroll
      for (int i = 0; i < 4; ++i) a[i] = kept_[k][i];
    else
      read(a, k);
  }

 private:
  __device__ void read(uint32_t (&a)[4], int k) const {
    const int lane = lane_of_thread();
    ldmatrix_x4(a, tile_.chunk(first_ + lane % 16, 2 * k + lane / 16));
  }
  const HeadTile<kD, kRows>& tile_;
  int first_;
  uint32_t kept_[kKept ? kD / 16 : 1][4];
};

__device__ inline void multiply_pair(float (&left)[4], float (&right)[4], const uint32_t (&a)[4],
                                     const uint32_t (&b)[4]) {
  const uint32_t b_left[2] = {b[0], b[1]}, b_right[2] = {b[2], b[3]};
  mma_bf16(left, a, b_left);
  mma_bf16(right, a, b_right);
}

// s = own · passingᵀ for 8 kColumns rows of the passing tile from `begin` on.
template <int kColumns, int kD, bool kKept, int kOwnRows, int kRows>
__device__ void multiply(float (&s)[kColumns][4], const OwnRows<kD, kKept, kOwnRows>& own,
                         const HeadTile<kD, kRows>& passing, int begin) {
  const int lane = lane_of_thread();
#pragma unroll
  for (int n = 0; n < kColumns; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) s[n][i] = 0;
#pragma unroll
  for (int k = 0; k < kD / 16; ++k) {
    uint32_t a[4];
    own.get(a, k);
#pragma unroll
    for (int n = 0; n < kColumns; n += 2) {
      uint32_t b[4];
      ldmatrix_x4(b, passing.chunk(begin + n * 8 + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
      multiply_pair(s[n], s[n + 1], a, b);
    }
  }
}

// Two values in bf16, and what rounding has taken from them, in bf16 again.
struct SplitPair {
  uint32_t high, low;
  __device__ SplitPair(float x, float y) : high(pack_bf16(x, y)) {
    low = pack_bf16(x - __uint_as_float(high << 16), y - __uint_as_float(high & 0xffff0000u));
  }
};

// out += p · passing for the same rows; the registers of p are those of a left factor. kTerms = 1: p is
// rounded to bf16; 2: p keeps 16 bits, in two products. One is enough forward, where the weights of a row
// sum up to 1. Gradients take two: large terms cancel there, and what is left is smaller than what
// rounding them once would take (docs/numerics.md).
template <int kTerms, int kColumns, int kD, int kRows>
__device__ void accumulate(float (&out)[kD / 8][4], const float (&p)[kColumns][4],
                           const HeadTile<kD, kRows>& passing, int begin) {
  const int lane = lane_of_thread();
#pragma unroll
  for (int k = 0; k < kColumns; k += 2) {
    const SplitPair pair[4] = {{p[k][0], p[k][1]},
                               {p[k][2], p[k][3]},
                               {p[k + 1][0], p[k + 1][1]},
                               {p[k + 1][2], p[k + 1][3]}};
    const uint32_t a[4] = {pair[0].high, pair[1].high, pair[2].high, pair[3].high};
    const uint32_t rest[4] = {pair[0].low, pair[1].low, pair[2].low, pair[3].low};
#pragma unroll
    for (int n = 0; n < kD / 8; n += 2) {
      uint32_t b[4];
      ldmatrix_x4_transposed(b, passing.chunk(begin + k * 8 + lane % 16, n + lane / 16));
      multiply_pair(out[n], out[n + 1], a, b);
      if constexpr (kTerms == 2) multiply_pair(out[n], out[n + 1], rest, b);
    }
  }
}

// Over the four lanes that share a row.
__device__ inline float quad_sum(float value) {
  value += __shfl_xor_sync(kFullWarp, value, 1);
  return value + __shfl_xor_sync(kFullWarp, value, 2);
}
__device__ inline float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(kFullWarp, value, 1));
  return fmaxf(value, __shfl_xor_sync(kFullWarp, value, 2));
}

// Less than any score, and finite: what nothing has been added to yet can be brought to its own base.
inline constexpr float kLeastScore = -FLT_MAX;

// The softmax of the two rows of a lane (g and g + 8 of the warp's 16), in powers of two.
struct RunningSoftmax {
  float largest[2] = {kLeastScore, kLeastScore},
        sum[2] = {};  // the sum over the lane's own columns

  // Turns scores into weights relative to the largest so far. `factor` brings what was summed before
  // to the same base.
  template <int kColumns>
  __device__ void update(float (&s)[kColumns][4], float scale, float (&factor)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = s[0][2 * half];
#pragma unroll
      for (int n = 0; n < kColumns; ++n)
        most = fmaxf(most, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
      most = fmaxf(largest[half], quad_max(most) * scale);
      factor[half] = exp2_approximately(largest[half] - most);
      largest[half] = most;
      float weights = 0;
#pragma unroll
      for (int n = 0; n < kColumns; ++n)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          s[n][i] = exp2_approximately(fmaf(s[n][i], scale, -most));
          weights += s[n][i];
        }
      sum[half] = sum[half] * factor[half] + weights;
    }
  }
};

// Whether a head is made of whole 16-byte chunks, at most a tile wide.
template <class... Pointers>
bool fits_tensor_cores(const AttentionGeometry& g, DType type, const Pointers*... pointers) {
  return type == DType::bf16 && g.D <= 128 && packs<bf16>(g.D, pointers...);
}

// Calls body(std::integral_constant<int, kD>) with the narrowest tile that holds heads of D values.
template <class Body>
void dispatch_head_tile(int D, Body&& body) {
  if (D <= 32) return body(std::integral_constant<int, 32>{});
  if (D <= 64) return body(std::integral_constant<int, 64>{});
  if (D <= 80) return body(std::integral_constant<int, 80>{});
  if (D <= 96) return body(std::integral_constant<int, 96>{});
  return body(std::integral_constant<int, 128>{});
}

}  // namespace laclip::cuda

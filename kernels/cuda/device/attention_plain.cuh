// Tiles in shared memory and their products by fused multiply-adds, for attention in fp32 and for
// heads of any size.
//
// As on tensor cores a warp owns some rows of a block's tile (8 of 32), and
//
//   multiply     s[8 32] += own[8 D] · passing[32 D]ᵀ      lane j has column j
//   accumulate   out[8 D] += p[8 32] · passing[32 D]       lane l has columns l, l + 32, …
//
// A tile holds a slice of kSlice values of each row. Heads of more values go slice by slice, and
// blockIdx.z is the slice of the output; the scores are then computed once for each.
#pragma once

#include "kernels/cuda/device/attention_geometry.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {

inline constexpr int kPlainRows = 32, kPlainOwn = 8, kPlainThreads = 128;

template <int kSlice>
struct PlainTile {
  static constexpr int kStride = kSlice + 4;  // lanes read 16 bytes of 32 rows without conflicts
  alignas(16) float values[kPlainRows * kStride];
  __device__ float* row(int r) { return values + r * kStride; }
  __device__ const float* row(int r) const { return values + r * kStride; }
};

// Probabilities of a warp, written by column and read by row.
struct PlainWeights {
  alignas(16) float of_warp[kPlainThreads / kWarpSize][kPlainOwn][kPlainRows];
};

// The slice of `columns` values of `rows` rows; the tile beyond them becomes zero.
template <int kSlice, class T>
__device__ void load_plain(PlainTile<kSlice>& to, const T* from, int64_t stride, int rows,
                           int columns, bool packed) {
  if (packed) {
    constexpr int kPacks = kSlice / kPackSize<T>;
    for (int item = int(threadIdx.x); item < kPlainRows * kPacks; item += kPlainThreads) {
      const int row = item / kPacks, column = item % kPacks * kPackSize<T>;
      const bool there = row < rows && column < columns;
      Pack<T> pack{};
      if (there) pack = load16(from + row * stride + column);
#pragma unroll
      for (int i = 0; i < kPackSize<T>; ++i)
        to.row(row)[column + i] = there ? float(pack[i]) : 0.0f;
    }
  } else {
    for (int item = int(threadIdx.x); item < kPlainRows * kSlice; item += kPlainThreads) {
      const int row = item / kSlice, column = item % kSlice;
      to.row(row)[column] =
          row < rows && column < columns ? float(from[row * stride + column]) : 0.0f;
    }
  }
}

template <int kSlice>
__device__ void multiply(float (&s)[kPlainOwn], const PlainTile<kSlice>& own,
                         const PlainTile<kSlice>& passing) {
  const float* b = passing.row(lane_of_thread());
  const int begin = warp_of_thread() * kPlainOwn;
#pragma unroll 2
  for (int d = 0; d < kSlice; d += 4) {
    const Pack<float> right = load16(b + d);
#pragma unroll
    for (int r = 0; r < kPlainOwn; ++r) {
      const Pack<float> left = load16(own.row(begin + r) + d);
#pragma unroll
      for (int i = 0; i < 4; ++i) s[r] = fmaf(left[i], right[i], s[r]);
    }
  }
}

// p[r] of lane j is the weight of passing row j for own row r.
template <int kSlice>
__device__ void accumulate(float (&out)[kPlainOwn][kSlice / kWarpSize], const float (&p)[kPlainOwn],
                           PlainWeights& room, const PlainTile<kSlice>& passing) {
  constexpr int kColumns = kSlice / kWarpSize;
  const int lane = lane_of_thread();
  auto& weights = room.of_warp[warp_of_thread()];
  __syncwarp();  // the warp has read its weights of before
#pragma unroll
  for (int r = 0; r < kPlainOwn; ++r) weights[r][lane] = p[r];
  __syncwarp();  // its weights are there
#pragma unroll 1
  for (int j = 0; j < kPlainRows; j += 4) {
    float right[4][kColumns];
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int c = 0; c < kColumns; ++c) right[i][c] = passing.row(j + i)[lane + c * kWarpSize];
#pragma unroll
    for (int r = 0; r < kPlainOwn; ++r) {
      const Pack<float> left = load16(&weights[r][j]);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int c = 0; c < kColumns; ++c) out[r][c] = fmaf(left[i], right[i][c], out[r][c]);
    }
  }
}

// A warp writes its rows of the output slice, of which `columns` exist.
template <int kSlice, class T>
__device__ void store_plain(T* to, int64_t stride,
                            const float (&values)[kPlainOwn][kSlice / kWarpSize],
                            const float (&factor)[kPlainOwn], int rows, int columns) {
  const int begin = warp_of_thread() * kPlainOwn;
#pragma unroll
  for (int r = 0; r < kPlainOwn; ++r)
#pragma unroll
    for (int c = 0; c < kSlice / kWarpSize; ++c) {
      const int column = lane_of_thread() + c * kWarpSize;
      if (begin + r < rows && column < columns)
        store(to[(begin + r) * stride + column], values[r][c] * factor[r]);
    }
}

// Calls body(std::integral_constant<int, kSlice>).
template <class Body>
void dispatch_slice(int D, Body&& body) {
  if (D <= 32) return body(std::integral_constant<int, 32>{});
  if (D <= 64) return body(std::integral_constant<int, 64>{});
  if (D <= 96) return body(std::integral_constant<int, 96>{});
  return body(std::integral_constant<int, 128>{});
}

}  // namespace laclip::cuda

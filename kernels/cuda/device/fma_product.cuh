// A tile of a product in fp32, in the registers of a block, on the FMA units.
//
// The block walks K in steps of 16. The next step's elements come from global memory into registers
// while this one's are multiplied from shared memory, where both operands lie with their rows along
// k: a thread then reads its 8 rows of a and 4·kQuads columns of b as 16 bytes each. Per element of
// the tile it reads 4 K (1/kM + 1/kN) bytes; 2 K FLOP are the limit.
#pragma once

#include "kernels/cuda/device/cuda.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/vec.cuh"
#include "kernels/cuda/gemm.h"

namespace laclip::cuda {

// A warp makes 32 × 32·kQuads: its lanes are 4 × 8, each has 2 × kQuads squares of 4×4.
template <int kTileM, int kTileN, int kQuadsPerThread>
struct FmaTile {
  static constexpr int kM = kTileM, kN = kTileN, kQuads = kQuadsPerThread, kDepth = 16;
  static constexpr int kWarpM = 32, kWarpN = 32 * kQuads;
  static constexpr int kWarpsN = kN / kWarpN, kThreads = kM / kWarpM * kWarpsN * 32;
};
using FmaTileLarge = FmaTile<128, 128, 2>;  // 256 threads
using FmaTileSmall = FmaTile<64, 64, 1>;    // 128 threads

// Elements of one step of an operand: kRows along m or n, kDepth along k.
template <class Tile, int kRows, bool kAlongK>
struct FmaOperand {
  // 4 more than kRows: lines stay at multiples of 16 bytes, and of the lanes that write 8 rows at 4 k
  // (every fourth) two meet in a bank instead of four.
  using Lines = float[Tile::kDepth][kRows + 4];
  static constexpr int kCount = kRows * Tile::kDepth / 4 / Tile::kThreads;
  Pack<float> quads[kCount];  // 4 elements that follow one another in memory

  struct Place {
    int row, k;
  };
  static __device__ Place place_of(int i) {
    const int index = int(threadIdx.x) + i * Tile::kThreads;
    constexpr int kAlong = (kAlongK ? Tile::kDepth : kRows) / 4;
    const int line = index / kAlong, along = index % kAlong * 4;
    return kAlongK ? Place{line, along} : Place{along, line};
  }
  // Where the operand is: rows from row0 on, of a matrix of rows × depth.
  struct Source {
    const float* from;
    int64_t rows, depth, row0;
    bool aligned;  // 4 elements can be read at once
  };
  // A step from k0 on. Beyond the matrix there are zeros.
  __device__ void load(const Source& source, int64_t k0) {
    const auto [from, rows, depth, row0, aligned] = source;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const Place place = place_of(i);
      const int64_t row = row0 + place.row, k = k0 + place.k;
      const float* at = from + (kAlongK ? row * depth + k : k * rows + row);
      const bool inside = row < rows && k < depth;
      const int64_t left = inside ? (kAlongK ? depth - k : rows - row) : 0;
      if (aligned && inside) {
        quads[i] = load16(at);
        continue;
      }
#pragma unroll
      for (int e = 0; e < 4; ++e) quads[i][e] = e < left ? at[e] : 0.0f;
    }
  }
  __device__ void store_to(Lines& lines) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const Place place = place_of(i);
      if constexpr (kAlongK) {
#pragma unroll
        for (int e = 0; e < 4; ++e) lines[place.k + e][place.row] = quads[i][e];
      } else {
        store16(&lines[place.k][place.row], quads[i]);
      }
    }
  }
};

template <class Tile, Layout kA, Layout kB>
struct FmaProduct {
  using OperandA = FmaOperand<Tile, Tile::kM, kA == Layout::plain>;
  using OperandB = FmaOperand<Tile, Tile::kN, kB == Layout::transposed>;
  struct Shared {
    struct Step {
      alignas(16) typename OperandA::Lines a;
      alignas(16) typename OperandB::Lines b;
    } steps[2];
  };
  static constexpr int kQuads = Tile::kQuads;

  // Row row() + i % 4 + 16 (i / 4), column column() + j % 4 + 32 (j / 4) of the tile.
  float sum[8][4 * kQuads] = {};

  static __device__ int warp_row() { return warp_of_thread() / Tile::kWarpsN; }
  static __device__ int warp_column() { return warp_of_thread() % Tile::kWarpsN; }
  static __device__ int row() { return warp_row() * Tile::kWarpM + lane_of_thread() / 8 * 4; }
  static __device__ int column() { return warp_column() * Tile::kWarpN + lane_of_thread() % 8 * 4; }

  // Adds k = begin … end - 1. also(rows) is called with the thread's 8 elements of a, for every k.
  template <class Also>
  __device__ void add(Shared& s, const typename OperandA::Source& a,
                      const typename OperandB::Source& b, int64_t begin, int64_t end, Also&& also) {
    OperandA next_a;
    OperandB next_b;
    const auto fetch = [&](int64_t k) {
      next_a.load(a, k);
      next_b.load(b, k);
    };
    const auto put = [&](int buffer) {
      next_a.store_to(s.steps[buffer].a);
      next_b.store_to(s.steps[buffer].b);
    };
    const int row = this->row(), column = this->column();
    fetch(begin);
    put(0);
    __syncthreads();  // the first step is there
    int buffer = 0;
    for (int64_t k0 = begin; k0 < end; k0 += Tile::kDepth, buffer ^= 1) {
      const bool more = k0 + Tile::kDepth < end;
      if (more) fetch(k0 + Tile::kDepth);
      const auto& step = s.steps[buffer];
#pragma unroll
      for (int k = 0; k < Tile::kDepth; ++k) {
        Pack<float> left[2], right[kQuads];
#pragma unroll
        for (int q = 0; q < 2; ++q) left[q] = load16(&step.a[k][row + 16 * q]);
#pragma unroll
        for (int q = 0; q < kQuads; ++q) right[q] = load16(&step.b[k][column + 32 * q]);
#pragma unroll
        for (int i = 0; i < 8; ++i)
#pragma unroll
          for (int j = 0; j < 4 * kQuads; ++j)
            sum[i][j] = fmaf(left[i / 4][i % 4], right[j / 4][j % 4], sum[i][j]);
        also(left);
      }
      if (more) put(buffer ^ 1);
      __syncthreads();  // the next step is there, this one's buffer is free
    }
  }
};

}  // namespace laclip::cuda

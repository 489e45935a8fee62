// A tile of a product in bf16, in the registers of a block, by tensor cores.
//
// The block walks K in steps of 64. Both operands' parts of a step lie in shared memory as they do in
// global memory; kStages steps are there or under way by cp.async. ldmatrix, transposing or not,
// gives the fragments of mma m16n8k16; those of the next 16 k are loaded while this one's are
// multiplied. Per element of the tile a block reads 2 K (1/kM + 1/kN) bytes.
#pragma once

#include "kernels/cuda/device/ptx.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/tile_source.cuh"
#include "kernels/cuda/gemm.h"

namespace laclip::cuda {

template <int kTileM, int kTileN, int kWarpTileM, int kWarpTileN, int kStagesOfPipeline,
          int kBlocksOfProcessor>
struct TensorTile {
  static constexpr int kM = kTileM, kN = kTileN, kDepth = 64, kStages = kStagesOfPipeline;
  static constexpr int kWarpM = kWarpTileM, kWarpN = kWarpTileN, kWarpsN = kN / kWarpN;
  static constexpr int kThreads = kM / kWarpM * kWarpsN * 32;
  static constexpr int kBlocks = kBlocksOfProcessor;  // at once, which bounds the registers
};
// A warp's 64×64 needs two thirds of the shared memory's bandwidth at the full rate of mma; 64×32
// would need all of it.
using TensorTileLarge = TensorTile<128, 128, 64, 64, 3, 2>;  // 128 threads, 96 KiB
using TensorTileSmall = TensorTile<64, 64, 32, 32, 4, 3>;    // 128 threads, 64 KiB

// One step of an operand in shared memory: kRows along m or n, 64 along k, in lines as in global
// memory. The chunks of 16 bytes of a line are permuted so that the 8 of ldmatrix, one of each of 8
// lines, lie in 8 different places of 128 bytes, which are all banks.
template <int kRows, bool kAlongK, int kThreads>
struct TensorOperand {
  static constexpr int kDepth = 64, kChunk = 8;  // elements
  static constexpr int kLines = kAlongK ? kRows : kDepth, kWidth = kAlongK ? kDepth : kRows;
  static constexpr int kChunks = kWidth / kChunk;
  alignas(128) bf16 values[kLines * kWidth];

  __device__ static constexpr int offset(int line, int chunk) {
    constexpr int kLinesOf128Bytes = kChunks < 8 ? 8 / kChunks : 1;
    constexpr int kPermuted = kChunks < 8 ? kChunks : 8;
    return line * kWidth + (chunk ^ (line / kLinesOf128Bytes % kPermuted)) * kChunk;
  }
  // What the permutation is for, in every line and chunk.
  static constexpr bool all_banks() {
    for (int line = 0; line < kLines; line += 8)
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        unsigned places = 0;
        for (int i = 0; i < 8; ++i) places |= 1u << offset(line + i, chunk) / kChunk % 8;
        if (places != 0xffu) return false;
      }
    return true;
  }

  using Source = TileSource<bf16, kThreads, kLines, kWidth, kDepth, kAlongK>;
  static __device__ Source source(const bf16* from, int64_t rows, int64_t depth, int64_t row,
                                  int64_t k) {
    const int64_t width = kAlongK ? depth : rows;
    return {from, kAlongK ? rows : depth, width, width, row, k};
  }
  template <bool kAligned>
  __device__ void fill(Source& from) {
    static_assert(Source::kLinesAtOnce % 8 == 0);  // the permutation comes again
    from.template fill<kAligned>(values + offset(Source::own_line(), Source::own_pack()), kWidth);
  }

  // Where the line of a lane lies of four 8×8 matrices: matrix i holds rows from row + 8 row_half(i), k
  // from 8 k_half(i).
  __device__ static int begin(int row, int row_half, int k_half) {
    const int line = lane_of_thread() % 8;
    return kAlongK ? offset(row + 8 * row_half + line, k_half)
                   : offset(8 * k_half + line, row / 8 + row_half);
  }
  // Those 16 i rows and 16 j of k further on. Along a line these are two chunks each time, which the
  // permutation turns into an exclusive or; across lines it comes again.
  __device__ void load(uint32_t (&fragment)[4], int begin, int i, int j) const {
    static_assert(all_banks() && two_chunks_are_a_bit());
    constexpr int kTwo = 2 * kChunk;
    if constexpr (kAlongK)
      ldmatrix_x4(fragment, values + (begin ^ kTwo * j) + 16 * i * kWidth);
    else
      ldmatrix_x4_transposed(fragment, values + (begin ^ kTwo * i) + 16 * j * kWidth);
  }
  // offset() at a chunk c that begins a warp's part of a line, and 2 n further on.
  static constexpr bool two_chunks_are_a_bit() {
    constexpr int kPart = kAlongK || kChunks > 8 ? 8 : kChunks < 4 ? kChunks : 4;
    for (int line = 0; line < kLines; ++line)
      for (int chunk = 0; chunk < kChunks; ++chunk)
        for (int n = 0; chunk % kPart < 2 && chunk + 2 * n < chunk / kPart * kPart + kPart; ++n)
          if (offset(line, chunk + 2 * n) != (offset(line, chunk) ^ 2 * n * kChunk) ||
              (line + 16 < kLines && offset(line + 16, chunk) != offset(line, chunk) + 16 * kWidth))
            return false;
    return true;
  }
};

template <class Tile, Layout kA, Layout kB>
struct TensorProduct {
  using OperandA = TensorOperand<Tile::kM, kA == Layout::plain, Tile::kThreads>;
  using OperandB = TensorOperand<Tile::kN, kB == Layout::transposed, Tile::kThreads>;
  struct Shared {
    struct Stage {
      OperandA a;
      OperandB b;
    } stages[Tile::kStages];
  };
  static constexpr int kMs = Tile::kWarpM / 16, kNs = Tile::kWarpN / 8;
  using FragmentsA = uint32_t[kMs][4];  // of a warp's rows, 16 of k

  // Fragment (i, j) holds rows row() + 16 i + {g, g + 8}, columns column() + 8 j + {2t, 2t + 1} of the
  // tile, where g = lane / 4, t = lane % 4.
  float sum[kMs][kNs][4] = {};

  static __device__ int warp_row() { return warp_of_thread() / Tile::kWarpsN; }
  static __device__ int warp_column() { return warp_of_thread() % Tile::kWarpsN; }
  static __device__ int row() { return warp_row() * Tile::kWarpM; }
  static __device__ int column() { return warp_column() * Tile::kWarpN; }

  // Adds the next `steps` steps of both operands. also(fragments) is called for every 16 of k.
  template <bool kAligned, class Also>
  __device__ void add(Shared& s, typename OperandA::Source from_a, typename OperandB::Source from_b,
                      int steps, Also&& also) {
    constexpr int kStages = Tile::kStages;
    const int matrix = lane_of_thread() / 8;  // of the four of ldmatrix
    const int begin_a = OperandA::begin(row(), matrix % 2, matrix / 2);
    const int begin_b = OperandB::begin(column(), matrix / 2, matrix % 2);
    // A group of copies is committed for every step, empty ones behind the last.
    const auto fetch = [&](int step, int stage) {
      if (step < steps) {
        s.stages[stage].a.template fill<kAligned>(from_a);
        s.stages[stage].b.template fill<kAligned>(from_b);
      }
      cp_async_commit();
    };
#pragma unroll
    for (int step = 0; step < kStages - 1; ++step) fetch(step, step);

    int stage = 0, free_stage = kStages - 1;
    for (int step = 0; step < steps; ++step) {
      cp_async_wait<kStages - 2>();
      __syncthreads();  // this step is there for all, and all are done with the one before
      fetch(step + kStages - 1, free_stage);
      const auto& now = s.stages[stage];
      free_stage = stage;
      stage = stage + 1 < kStages ? stage + 1 : 0;

      uint32_t fragment_a[2][kMs][4], fragment_b[2][kNs / 2][4];
      const auto load = [&](int k) {
#pragma unroll
        for (int i = 0; i < kMs; ++i) now.a.load(fragment_a[k % 2][i], begin_a, i, k);
#pragma unroll
        for (int j = 0; j < kNs / 2; ++j) now.b.load(fragment_b[k % 2][j], begin_b, j, k);
      };
      load(0);
#pragma unroll
      for (int k = 0; k < Tile::kDepth / 16; ++k) {
        if (k + 1 < Tile::kDepth / 16) load(k + 1);
        const auto& left = fragment_a[k % 2];
        const auto& right = fragment_b[k % 2];
#pragma unroll
        for (int i = 0; i < kMs; ++i)
#pragma unroll
          for (int j = 0; j < kNs; ++j)
            mma_bf16(sum[i][j], left[i], {right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]});
        also(left);
      }
    }
    cp_async_wait<0>();
  }
};

}  // namespace laclip::cuda

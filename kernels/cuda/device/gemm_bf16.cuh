// The product of gemm.h in bf16, on the tensor cores: a block makes a tile of c.
#pragma once

#include "kernels/cuda/device/gemm_block.cuh"
#include "kernels/cuda/device/tensor_product.cuh"

namespace laclip::cuda {

using TensorTileSkinny = TensorTile<16, 32, 16, 16, 6, 6>;  // 64 threads, 36 KiB

// row_sums are a's product with a vector of ones, made by the blocks of the first column of tiles, of
// which two warps side by side have the same fragments of a and take every other one. These blocks
// have a loop of their own: a branch around an mma costs its loop registers and order.
template <class Tile, Layout kA, Layout kB, Epilogue kEpilogue, Store kStore, bool kAligned,
          bool kRowSums>
__global__ void __launch_bounds__(Tile::kThreads, kAligned ? Tile::kBlocks : 2)
    gemm_bf16_kernel(GemmOutput out, const bf16* a, const bf16* b, int64_t depth,
                     int64_t depth_per_part) {
  using Product = TensorProduct<Tile, kA, kB>;
  constexpr int kMs = Product::kMs;
  auto& s = shared<typename Product::Shared>();
  out.select_part();
  const TileOrigin tile = tile_of_block<Tile::kM, Tile::kN>(out.m, out.n);
  const int64_t begin = int64_t(blockIdx.y) * depth_per_part;
  const int64_t end = min(depth, begin + depth_per_part);
  const int steps = int((end - begin + Tile::kDepth - 1) / Tile::kDepth);
  const auto from_a = Product::OperandA::source(a, out.m, depth, tile.row, begin);
  const auto from_b = Product::OperandB::source(b, out.n, depth, tile.column, begin);
  const int64_t row = tile.row + Product::row(), column = tile.column + Product::column();
  Product product;
  if constexpr (kRowSums) {
    if (tile.column == 0) {
      static_assert(Tile::kWarpsN == 2);
      constexpr uint32_t kOnes[2] = {0x3f803f80u, 0x3f803f80u};
      const int warp = Product::warp_column();
      float row_sum[kMs / 2][4] = {};  // of fragments warp, warp + 2, …
      product.template add<kAligned>(s, from_a, from_b, steps,
                                     [&](const typename Product::FragmentsA& left) {
#pragma unroll
                                       for (int i = 0; i < kMs; i += 2) {
                                         uint32_t mine[4];
#pragma unroll
                                         for (int e = 0; e < 4; ++e)
                                           mine[e] = warp == 0 ? left[i][e] : left[i + 1][e];
                                         mma_bf16(row_sum[i / 2], mine, kOnes);
                                       }
                                     });
      put_fragments<kEpilogue, kStore>(out, product.sum, row, column);
      if (lane_of_thread() % 4 != 0) return;
#pragma unroll
      for (int i = 0; i < kMs / 2; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          out.put_row_sum(row + 16 * (2 * i + warp) + 8 * half + lane_of_thread() / 4,
                          row_sum[i][2 * half]);
      return;
    }
  }
  product.template add<kAligned>(s, from_a, from_b, steps, [](const auto&) {});
  put_fragments<kEpilogue, kStore>(out, product.sum, row, column);
}

}  // namespace laclip::cuda

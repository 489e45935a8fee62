// The product of gemm.h in fp32, on the FMA units: a block makes a tile of c.
#pragma once

#include "kernels/cuda/device/fma_product.cuh"
#include "kernels/cuda/device/gemm_block.cuh"

namespace laclip::cuda {

// row_sums are taken by the blocks of the first column of tiles, where every lane has all it needs.
template <class Tile, Layout kA, Layout kB, Epilogue kEpilogue, Store kStore, bool kRowSums>
__global__ void __launch_bounds__(Tile::kThreads)
    gemm_f32_kernel(GemmOutput out, const float* a, const float* b, int64_t depth,
                    int64_t depth_per_part, bool aligned) {
  using Product = FmaProduct<Tile, kA, kB>;
  out.select_part();
  const TileOrigin tile = tile_of_block<Tile::kM, Tile::kN>(out.m, out.n);
  const int64_t begin = int64_t(blockIdx.y) * depth_per_part;
  const int64_t end = min(depth, begin + depth_per_part);
  const int64_t row = tile.row + Product::row(), column = tile.column + Product::column();
  Product product;
  float row_sum[8] = {};
  product.add(shared<typename Product::Shared>(), {a, out.m, depth, tile.row, aligned},
              {b, out.n, depth, tile.column, aligned}, begin, end,
              [&](const Pack<float>(&left)[2]) {
                if constexpr (kRowSums) {
#pragma unroll
                  for (int i = 0; i < 8; ++i) row_sum[i] += left[i / 4][i % 4];
                }
              });
  put_quads<kEpilogue, kStore>(out, product.sum, row, column);
  if (kRowSums && column == 0) {
#pragma unroll
    for (int i = 0; i < 8; ++i) out.put_row_sum(row + i / 4 * 16 + i % 4, row_sum[i]);
  }
}

}  // namespace laclip::cuda

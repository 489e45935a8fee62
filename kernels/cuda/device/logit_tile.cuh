// A tile of logits in the registers of a block, s[m n] = a_m · b_n, for the ops that never store them
// all: a product of gemm.h's tiles, of which every thread can ask where its own logits lie.
#pragma once

#include "kernels/core/roles.h"
#include "kernels/cuda/device/fma_product.cuh"
#include "kernels/cuda/device/gemm_block.cuh"
#include "kernels/cuda/device/tensor_product.cuh"

namespace laclip::cuda {

// Rows of a dense matrix: begin … begin + count - 1, as far as it has them.
template <class T>
struct LogitOperand {
  const T* data;
  int64_t rows, width;

  LogitOperand(In matrix, int64_t begin, int64_t count)
      : data(matrix.as<T>() + begin * matrix[1]),
        rows(std::min(matrix[0] - begin, count)),
        width(matrix[1]) {}
};

// kPacked: rows of both operands begin at multiples of 16 bytes and are whole packs.
template <class T, bool kPacked>
class LogitTile {
  static constexpr bool kTensor = sizeof(T) == 2;
  // Two steps at a time leave room in shared memory for what the ops have beside a tile.
  using Packed = TensorTile<128, 128, 64, 64, 2, 2>;
  using Shape = std::conditional_t<!kTensor, FmaTile<128, 64, 1>,
                                   std::conditional_t<kPacked, Packed, TensorTileSmall>>;
  using Product =
      std::conditional_t<kTensor, TensorProduct<Shape, Layout::plain, Layout::transposed>,
                         FmaProduct<Shape, Layout::plain, Layout::transposed>>;

 public:
  using Element = T;
  using Shared = typename Product::Shared;
  static constexpr int kThreads = Shape::kThreads, kRows = Shape::kM, kColumns = Shape::kN;
  static constexpr int kWarpRows = kRows / Shape::kWarpM, kWarpColumns = Shape::kWarpsN;
  // Neighbouring lanes that share their rows; a thread owns kOwnRows × kOwnColumns logits.
  static constexpr int kRowLanes = kTensor ? 4 : 8;
  static constexpr int kOwnRows = Shape::kWarpM / (kWarpSize / kRowLanes);
  static constexpr int kOwnColumns = Shape::kWarpN / kRowLanes;

  static __device__ int warp_row() { return Product::warp_row(); }
  static __device__ int warp_column() { return Product::warp_column(); }

  // Where the logit (i, j) of this thread is in the tile.
  static __device__ int row(int i) {
    return Product::row() + (kTensor ? 8 * i + lane_of_thread() / 4 : i % 4 + i / 4 * 16);
  }
  static __device__ int column(int j) {
    return Product::column() +
           (kTensor ? j / 2 * 8 + lane_of_thread() % 4 * 2 + j % 2 : j % 4 + j / 4 * 32);
  }
  __device__ float& operator()(int i, int j) {
    if constexpr (kTensor)
      return product_.sum[i / 2][j / 2][i % 2 * 2 + j % 2];
    else
      return product_.sum[i][j];
  }

  // Calls body(row, column, logit) for each of this thread's.
  template <class Body>
  __device__ void for_each(Body&& body) {
#pragma unroll
    for (int i = 0; i < kOwnRows; ++i)
#pragma unroll
      for (int j = 0; j < kOwnColumns; ++j) body(row(i), column(j), (*this)(i, j));
  }

  // Those of a from `row` and b from `column` on. Begins with a barrier behind what the block did
  // before, so `shared` may be what is left of the tile before.
  __device__ LogitTile(Shared& shared, const LogitOperand<T>& a, int64_t row,
                       const LogitOperand<T>& b, int64_t column) {
    __syncthreads();  // nobody reads any more what the block had there
    const int64_t depth = a.width;
    const auto nothing = [](const auto&) {};
    if constexpr (kTensor)
      product_.template add<kPacked>(shared,
                                     Product::OperandA::source(a.data, a.rows, depth, row, 0),
                                     Product::OperandB::source(b.data, b.rows, depth, column, 0),
                                     int((depth + Shape::kDepth - 1) / Shape::kDepth), nothing);
    else
      product_.add(shared, {a.data, a.rows, depth, row, kPacked},
                   {b.data, b.rows, depth, column, kPacked}, 0, depth, nothing);
  }

  // What the thread has made of its logits, to a matrix of T [m n] from (row, column) on.
  template <Store kStore>
  __device__ void put(const GemmOutput& to, int64_t row, int64_t column) const {
    if constexpr (kTensor)
      put_fragments<Epilogue::sum, kStore>(to, product_.sum, row + Product::row(),
                                           column + Product::column());
    else
      put_quads<Epilogue::sum, kStore>(to, product_.sum, row + Product::row(),
                                       column + Product::column());
  }

 private:
  Product product_;
};

// Calls body<Tile>() with the tile for these operands.
template <class T, class Body>
void dispatch_tile(const LogitOperand<T>& a, const LogitOperand<T>& b, Body&& body) {
  if (packs<T>(a.width, a.data, b.data))
    body.template operator()<LogitTile<T, true>>();
  else
    body.template operator()<LogitTile<T, false>>();
}

// A dense matrix of T [m n] for LogitTile::put.
template <class T>
GemmOutput logits_to(T* matrix, int64_t m, int64_t n) {
  return {.c = matrix, .m = m, .n = n, .to_f32 = sizeof(T) == 4};
}

// Calls body<Store>() with how such a matrix is written.
template <class T, class Body>
void dispatch_store(const T* matrix, int64_t n, Body&& body) {
  constexpr Store kPacks = sizeof(T) == 4 ? Store::f32_packs : Store::bf16_packs;
  if (n % 8 == 0 && reinterpret_cast<uintptr_t>(matrix) % 16 == 0)
    body.template operator()<kPacks>();
  else
    body.template operator()<Store::elements>();
}

}  // namespace laclip::cuda

// What backward makes of a block of logit gradients ds[rows columns] in scratch memory: a product
// with the rows of the other side, y (+)= ds b or y (+)= dsᵀ b.
#pragma once

#include "kernels/cuda/device/logit_tile.cuh"

namespace laclip::cuda {

// Neighbours in memory that one instruction reads or writes. They begin at a multiple of Count; the
// mask changes nothing, but without it the compiler does not see that, and stores one by one.
template <class T, int Count>
struct alignas(sizeof(T) * Count) LogitRun {
  T values[Count];
};
template <int Count, class T>
__device__ LogitRun<T, Count> load_run(const T* from, int64_t at) {
  return *reinterpret_cast<const LogitRun<T, Count>*>(from + (at & ~int64_t(Count - 1)));
}
template <class To, int Count>
__device__ void store_run(To* to, int64_t at, const LogitRun<float, Count>& from) {
  LogitRun<To, Count> run;
#pragma unroll
  for (int i = 0; i < Count; ++i) store(run.values[i], from.values[i]);
  *reinterpret_cast<LogitRun<To, Count>*>(to + (at & ~int64_t(Count - 1))) = run;
}

// y = before + a bᵀ; before may be y, or null for 0. Packed: all matrices have rows of whole packs.
// Per element of y: 4 bytes read with a `before`, one element written.
template <class To, class T, Lines A, bool Packed>
__global__ void __launch_bounds__(kLogitThreads, 2)
    logit_gradient_kernel(To* y, const float* before, LogitOperand<T> a, LogitOperand<T> b,
                          int64_t depth) {
  using Tile = LogitTile<T, A, Lines::across_k>;
  const int64_t row = int64_t(blockIdx.x) * Tile::kRows;
  const int64_t column = int64_t(blockIdx.y) * Tile::kColumns;
  const int64_t rows = A == Lines::along_k ? a.lines : a.width, columns = b.width;
  Tile sum;
  sum.template multiply<Packed>(shared<typename Tile::Shared>(), a, row, b, column, depth);
  const int columns_left = int(min(columns - column, int64_t(Tile::kColumns)));
#pragma unroll
  for (int i = 0; i < Tile::kOwnRows; ++i) {
    if (row + Tile::row(i) >= rows) continue;
    const int64_t line = (row + Tile::row(i)) * columns + column;
#pragma unroll
    for (int j = 0; j < Tile::kOwnColumns; j += Tile::kRun) {
      const int first = Tile::column(j);
      LogitRun<float, Tile::kRun> run;
#pragma unroll
      for (int r = 0; r < Tile::kRun; ++r) run.values[r] = sum(i, j + r);
      if constexpr (Packed) {
        if (first >= columns_left) continue;
        if (before) {
          const auto old = load_run<Tile::kRun>(before, line + first);
#pragma unroll
          for (int r = 0; r < Tile::kRun; ++r) run.values[r] += old.values[r];
        }
        store_run(y, line + first, run);
      } else {
#pragma unroll
        for (int r = 0; r < Tile::kRun; ++r)
          if (first + r < columns_left)
            store(y[line + first + r], (before ? before[line + first + r] : 0.0f) + run.values[r]);
      }
    }
  }
}

// y[rows C] = before + ds b (A along k: ds[rows k]) or + dsᵀ b (across: ds[k rows]), b[k C] dense.
template <Lines A, class To, class T>
void add_logit_gradient(Stream& stream, To* y, const float* before, const LogitOperand<T>& ds,
                        const LogitOperand<T>& b) {
  using Tile = LogitTile<T, A, Lines::across_k>;
  const int64_t rows = A == Lines::along_k ? ds.lines : ds.width;
  if (rows == 0 || b.width == 0) return;
  const Grid grid{dim3(unsigned(ceil_div(rows, Tile::kRows)),
                       unsigned(ceil_div(b.width, Tile::kColumns))),
                  kLogitThreads, sizeof(typename Tile::Shared)};
  const bool whole = ds.width % kPackSize<T> == 0;  // its lines are aligned in any case
  dispatch_packed(whole && packs<T>(b.width, b.data, y, before), [&](auto packed) {
    launch<logit_gradient_kernel<To, T, A, decltype(packed)::value>>(stream, grid, y, before, ds, b,
                                                                     b.lines);
  });
}

}  // namespace laclip::cuda

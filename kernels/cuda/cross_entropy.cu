#include "kernels/ops/cross_entropy.h"

#include <algorithm>

#include "kernels/cuda/device/logit_gradient.cuh"
#include "kernels/cuda/device/logit_sum.cuh"
#include "kernels/cuda/device/logit_tile.cuh"

namespace laclip::cuda {
namespace {

// ---- forward

template <class T>
struct PartialShared {
  using Tile = LogitTile<T>;
  typename Tile::Shared tile;
  // Sums between tiles; in registers they would spill.
  LogitSum of_thread[Tile::kOwnRows][kLogitThreads];
  LogitSum of_warp[Tile::kWarpColumns][Tile::kRows];
  int32_t target[Tile::kRows];
};

// Block (rows, split): log-sum-exp of a tile's rows over a part of the vocabulary, partial[N
// splits], and the logit of the target where it lies in that part. Arithmetic, 2C operations per
// logit, is the limit.
template <class T, bool Packed>
__global__ void __launch_bounds__(kLogitThreads, 2)
    cross_entropy_partial_kernel(LogitSum* partial, float* hit, LogitOperand<T> x,
                                 LogitOperand<T> w, const int32_t* target, int64_t tiles) {
  using Tile = LogitTile<T>;
  auto& room = shared<PartialShared<T>>();
  const int64_t row = int64_t(blockIdx.x) * Tile::kRows;
  for (int r = int(threadIdx.x); r < Tile::kRows; r += kLogitThreads)  // multiply has the barrier
    room.target[r] = row + r < x.lines ? max(target[row + r], -1) : -1;
#pragma unroll
  for (int i = 0; i < Tile::kOwnRows; ++i) room.of_thread[i][threadIdx.x] = {};
  const int64_t first = int64_t(blockIdx.y) * tiles * Tile::kColumns;
  const int64_t end = min(first + tiles * Tile::kColumns, w.lines);
  for (int64_t column = first; column < end; column += Tile::kColumns) {
    Tile s;
    s.template multiply<Packed>(room.tile, x, row, w, column, x.width);
    const int columns = int(min(w.lines - column, int64_t(Tile::kColumns)));
#pragma unroll
    for (int i = 0; i < Tile::kOwnRows; ++i) {
      const int wanted = room.target[Tile::row(i)] - int(column);
#pragma unroll
      for (int j = 0; j < Tile::kOwnColumns; ++j) {
        if (Tile::column(j) >= columns) s(i, j) = -INFINITY;
        if (Tile::column(j) == wanted) hit[row + Tile::row(i)] = s(i, j);
      }
      LogitSum& sum = room.of_thread[i][threadIdx.x];
      sum.template add_values<Tile::kOwnColumns>([&](int j) { return s(i, j); });
    }
  }
#pragma unroll
  for (int i = 0; i < Tile::kOwnRows; ++i) {
    const LogitSum sum = merge_lanes<1, Tile::kRowLanes>(room.of_thread[i][threadIdx.x]);
    if (lane_of_thread() % Tile::kRowLanes == 0)
      room.of_warp[Tile::warp_column_index()][Tile::row(i)] = sum;
  }
  __syncthreads();  // the rows of all warps are there
  for (int r = int(threadIdx.x); r < Tile::kRows && row + r < x.lines; r += kLogitThreads) {
    LogitSum sum = room.of_warp[0][r];
#pragma unroll
    for (int warp = 1; warp < Tile::kWarpColumns; ++warp) sum.add(room.of_warp[warp][r]);
    partial[(row + r) * gridDim.y + blockIdx.y] = sum;
  }
}

// A warp merges a row: reads 8 bytes per split.
__global__ void cross_entropy_merge_kernel(float* lse, float* terms, const LogitSum* partial,
                                           const float* hit, const int32_t* target, int64_t N,
                                           int64_t V, int64_t splits, FaultSink fault) {
  const int64_t step = grid_stride() / kWarpSize;
  for (int64_t n = grid_index() / kWarpSize; n < N; n += step) {
    const LogitSum sum = warp_merge(partial + n * splits, splits, 1);
    if (lane_of_thread() != 0) continue;
    const int64_t wanted = target[n];
    lse[n] = sum.log_above(0);
    terms[n] = wanted >= 0 && wanted < V ? sum.log_above(hit[n]) : 0.0f;
    if (wanted >= V) report(fault, KernelFault::id_outside, n, wanted, V);
  }
}

// ---- backward

template <class T>
struct GradientShared {
  using Tile = LogitTile<T>;
  typename Tile::Shared tile;
  int32_t target[Tile::kRows];
  float lse[Tile::kRows];
};

// ds of a block of rows and a chunk of the vocabulary, which begins at `begin`. Writes an element
// per logit; arithmetic is the limit.
template <class T, bool Packed>
__global__ void __launch_bounds__(kLogitThreads, 2)
    cross_entropy_ds_kernel(T* ds, int64_t stride, LogitOperand<T> x, LogitOperand<T> w,
                            const int32_t* target, const float* lse, float weight, int64_t begin) {
  using Tile = LogitTile<T>;
  auto& room = shared<GradientShared<T>>();
  const int64_t row = int64_t(blockIdx.x) * Tile::kRows;
  const int64_t column = int64_t(blockIdx.y) * Tile::kColumns;
  for (int r = int(threadIdx.x); r < Tile::kRows; r += kLogitThreads) {  // as above
    const bool there = row + r < x.lines;
    room.target[r] = there ? max(target[row + r], -1) : -1;
    room.lse[r] = there ? lse[row + r] : 0.0f;
  }
  Tile s;
  s.template multiply<Packed>(room.tile, x, row, w, column, x.width);
  const int columns_left = int(min(w.lines - column, int64_t(Tile::kColumns)));
#pragma unroll
  for (int i = 0; i < Tile::kOwnRows; ++i) {
    const int r = Tile::row(i), wanted = room.target[r] - int(begin + column);
    const float share = room.target[r] >= 0 ? weight : 0.0f, all = room.lse[r];
    if (row + r >= x.lines) continue;
    const int64_t line = (row + r) * stride + column;
#pragma unroll
    for (int j = 0; j < Tile::kOwnColumns; j += Tile::kRun) {
      if (Tile::column(j) >= columns_left) continue;
      LogitRun<float, Tile::kRun> run;  // may end in the padding of a row
#pragma unroll
      for (int k = 0; k < Tile::kRun; ++k)
        run.values[k] =
            share * (logit_exp(s(i, j + k) - all) - (Tile::column(j + k) == wanted ? 1.0f : 0.0f));
      store_run(ds, line + Tile::column(j), run);
    }
  }
}

__global__ void cross_entropy_check_kernel(const int32_t* target, int64_t N, int64_t V,
                                           FaultSink fault) {
  for (int64_t n = grid_index(); n < N; n += grid_stride())
    if (target[n] >= V) report(fault, KernelFault::id_outside, n, target[n], V);
}

// A block of ds: 16 MiB in bf16, and enough tiles for a GPU.
constexpr int64_t kRowBlock = 4096, kChunk = 2048;

}  // namespace

void cross_entropy_forward(Stream& stream, Out loss, Out lse, In x, In w, In target, float weight) {
  const int64_t N = x[0], V = w[0];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    using Tile = LogitTile<T>;
    // 528 blocks are two waves of two blocks on 132 multiprocessors.
    const int64_t row_tiles = std::max(ceil_div(N, Tile::kRows), int64_t(1));
    const int64_t column_tiles = std::max(ceil_div(V, Tile::kColumns), int64_t(1));
    const int64_t tiles =
        ceil_div(column_tiles, std::clamp(528 / row_tiles, int64_t(1), column_tiles));
    const int64_t splits = ceil_div(column_tiles, tiles);
    float* terms = stream.scratch().reserve<float>(2 * N * splits + 2 * N);
    float* hit = terms + N;
    auto* partial = reinterpret_cast<LogitSum*>(hit + N);
    const auto all_x = rows_of<T>(x, 0, N), all_w = rows_of<T>(w, 0, V);
    dispatch_packed(packs<T>(x[1], all_x.data, all_w.data), [&](auto packed) {
      launch<cross_entropy_partial_kernel<T, decltype(packed)::value>>(
          stream,
          {dim3(unsigned(row_tiles), unsigned(splits)), kLogitThreads, sizeof(PartialShared<T>)},
          partial, hit, all_x, all_w, target.as<int32_t>(), tiles);
    });
    launch<cross_entropy_merge_kernel>(stream, grid_of(N * kWarpSize), lse.as<float>(), terms,
                                       partial, hit, target.as<int32_t>(), N, V, splits,
                                       stream.fault());
    logit_total<false>(stream, loss.as<float>(), terms, N, weight);
  });
}

void cross_entropy_backward(Stream& stream, Out dx, Acc dw, In x, In w, In target, In lse,
                            float weight) {
  const int64_t N = x[0], V = w[0], C = x[1];
  const int32_t* wanted = target.as<int32_t>();
  launch<cross_entropy_check_kernel>(stream, grid_of(N), wanted, N, V, stream.fault());
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    using Tile = LogitTile<T>;
    const int64_t stride = ceil_div(std::min(V, kChunk), kPackSize<T>) * kPackSize<T>;
    const int64_t most_rows = std::min(N, kRowBlock);
    const int64_t ds_bytes = most_rows * stride * int64_t(sizeof(T));
    // bf16 dx are summed over the chunks in fp32, elsewhere if there are several.
    const bool apart = sizeof(T) == 2 && V > kChunk;
    std::byte* memory = stream.scratch().reserve_bytes(ds_bytes + (apart ? most_rows * C * 4 : 0));
    T* ds = reinterpret_cast<T*>(memory);
    for (int64_t row = 0; row < N; row += kRowBlock) {
      const auto x_rows = rows_of<T>(x, row, kRowBlock);
      T* to = dx.as<T>() + row * C;
      float* sum = reinterpret_cast<float*>(apart ? memory + ds_bytes : nullptr);
      if constexpr (sizeof(T) == 4) sum = to;
      for (int64_t column = 0; column < V; column += kChunk) {
        const auto w_rows = rows_of<T>(w, column, kChunk);
        const Grid grid{dim3(unsigned(ceil_div(x_rows.lines, Tile::kRows)),
                             unsigned(ceil_div(w_rows.lines, Tile::kColumns))),
                        kLogitThreads, sizeof(GradientShared<T>)};
        dispatch_packed(packs<T>(C, x_rows.data, w_rows.data), [&](auto packed) {
          launch<cross_entropy_ds_kernel<T, decltype(packed)::value>>(stream, grid, ds, stride,
                                                                      x_rows, w_rows, wanted + row,
                                                                      lse.as<float>() + row, weight,
                                                                      column);
        });
        const LogitOperand<T> block{ds, x_rows.lines, w_rows.lines, stride};
        const float* before = column > 0 ? sum : nullptr;
        if (column + kChunk < V)
          add_logit_gradient<Lines::along_k>(stream, sum, before, block, w_rows);
        else
          add_logit_gradient<Lines::along_k>(stream, to, before, block, w_rows);
        float* dw_rows = dw.as<float>() + column * C;
        add_logit_gradient<Lines::across_k>(stream, dw_rows, dw_rows, block, x_rows);
      }
    }
  });
}

}  // namespace laclip::cuda

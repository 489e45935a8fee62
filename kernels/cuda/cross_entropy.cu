#include "kernels/ops/cross_entropy.h"

#include <algorithm>

#include "kernels/cuda/device/logit_sum.cuh"
#include "kernels/cuda/device/logit_tile.cuh"
#include "kernels/ops/elementwise.h"

namespace laclip::cuda {
namespace {

// ---- forward

template <class Tile>
struct CrossEntropyPartial {
  typename Tile::Shared tile;
  // Sums between tiles; in registers they would spill.
  LogitSum of_thread[Tile::kOwnRows][Tile::kThreads];
  LogitSum of_warp[Tile::kWarpColumns][Tile::kRows];
  int32_t target[Tile::kRows];
};

// Block (rows, split): log-sum-exp of a tile's rows over a part of the vocabulary, partial[N
// splits], and the logit of the target where it lies in that part (hit[N], in units of ln 2 as in
// LogitSum). Arithmetic, 2C operations per logit, is the limit.
template <class Tile, class T = typename Tile::Element>
__global__ void __launch_bounds__(Tile::kThreads, 2)
    cross_entropy_partial_kernel(LogitSum* partial, float* hit, LogitOperand<T> x,
                                 LogitOperand<T> w, const int32_t* target, int64_t tiles) {
  auto& room = shared<CrossEntropyPartial<Tile>>();
  const int64_t row = int64_t(blockIdx.x) * Tile::kRows;
  for (int r = int(threadIdx.x); r < Tile::kRows; r += Tile::kThreads)  // a tile has the barrier
    room.target[r] = row + r < x.rows ? max(target[row + r], -1) : -1;
#pragma unroll
  for (int i = 0; i < Tile::kOwnRows; ++i) room.of_thread[i][threadIdx.x] = {};
  const int64_t first = int64_t(blockIdx.y) * tiles * Tile::kColumns;
  const int64_t end = min(first + tiles * Tile::kColumns, w.rows);
  for (int64_t column = first; column < end; column += Tile::kColumns) {
    Tile s(room.tile, x, row, w, column);
    const int columns = int(min(w.rows - column, int64_t(Tile::kColumns)));
    s.for_each([](int, int, float& logit) { logit *= kLog2e; });
    if (columns < Tile::kColumns)
      s.for_each([&](int, int c, float& logit) {
        if (c >= columns) logit = -INFINITY;
      });
#pragma unroll
    for (int i = 0; i < Tile::kOwnRows; ++i) {
      const int wanted = room.target[Tile::row(i)] - int(column);
      if (0 <= wanted && wanted < Tile::kColumns) {  // in few tiles
#pragma unroll
        for (int j = 0; j < Tile::kOwnColumns; ++j)
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
      room.of_warp[Tile::warp_column()][Tile::row(i)] = sum;
  }
  __syncthreads();  // the rows of all warps are there
  for (int r = int(threadIdx.x); r < Tile::kRows && row + r < x.rows; r += Tile::kThreads) {
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

template <class Tile>
struct CrossEntropyGradient {
  typename Tile::Shared tile;
  int32_t target[Tile::kRows];
  float lse[Tile::kRows];
};

// ds of a block of rows and a chunk of the vocabulary, which begins at `begin`. Writes an element
// per logit; arithmetic is the limit.
template <class Tile, Store kStore, class T = typename Tile::Element>
__global__ void __launch_bounds__(Tile::kThreads, 2)
    cross_entropy_ds_kernel(GemmOutput ds, LogitOperand<T> x, LogitOperand<T> w,
                            const int32_t* target, const float* lse, float weight, int64_t begin) {
  auto& room = shared<CrossEntropyGradient<Tile>>();
  const int64_t row = int64_t(blockIdx.x) * Tile::kRows;
  const int64_t column = int64_t(blockIdx.y) * Tile::kColumns;
  for (int r = int(threadIdx.x); r < Tile::kRows; r += Tile::kThreads) {  // as above
    const bool there = row + r < x.rows;
    room.target[r] = there ? max(target[row + r], -1) : -1;
    room.lse[r] = there ? lse[row + r] : 0.0f;
  }
  Tile s(room.tile, x, row, w, column);
#pragma unroll
  for (int i = 0; i < Tile::kOwnRows; ++i) {
    const int r = Tile::row(i), wanted = room.target[r] - int(begin + column);
    const float share = room.target[r] >= 0 ? weight : 0.0f, all = room.lse[r];
#pragma unroll
    for (int j = 0; j < Tile::kOwnColumns; ++j)
      s(i, j) = share * (logit_exp(s(i, j) - all) - (Tile::column(j) == wanted ? 1.0f : 0.0f));
  }
  s.template put<kStore>(ds, row, column);
}

__global__ void cross_entropy_check_kernel(const int32_t* target, int64_t N, int64_t V,
                                           FaultSink fault) {
  for (int64_t n = grid_index(); n < N; n += grid_stride())
    if (target[n] >= V) report(fault, KernelFault::id_outside, n, target[n], V);
}

// Rows of a launch forward: few enough that all blocks find them in the L2 cache (17 MB in bf16 at a width
// of 4096) while they pass over the vocabulary.
constexpr int64_t kForwardRows = 2048;
// A block of ds: 16 MiB in bf16, and enough tiles for a GPU.
constexpr int64_t kRowBlock = 4096, kColumnBlock = 2048;

}  // namespace

void cross_entropy_forward(Stream& stream, Out loss, Out lse, In x, In w, In target, float weight) {
  const int64_t N = x[0], V = w[0];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    const LogitOperand<T> all_w(w, 0, V);
    dispatch_tile(LogitOperand<T>(x, 0, N), all_w, [&]<class Tile>() {
      // 528 blocks are two waves of two blocks on 132 multiprocessors.
      const int64_t most_rows = std::min(N, kForwardRows);
      const int64_t row_tiles = std::max(ceil_div(most_rows, Tile::kRows), int64_t(1));
      const int64_t column_tiles = std::max(ceil_div(V, Tile::kColumns), int64_t(1));
      const int64_t tiles =
          ceil_div(column_tiles, std::clamp(528 / row_tiles, int64_t(1), column_tiles));
      const int64_t splits = ceil_div(column_tiles, tiles);
      float* terms = stream.scratch().reserve<float>(2 * N * splits + 2 * N);
      float* hit = terms + N;
      auto* partial = reinterpret_cast<LogitSum*>(hit + N);
      for (int64_t row = 0; row < N; row += kForwardRows) {
        const LogitOperand<T> x_rows(x, row, kForwardRows);
        launch<cross_entropy_partial_kernel<Tile>>(
            stream,
            {dim3(unsigned(ceil_div(x_rows.rows, Tile::kRows)), unsigned(splits)), Tile::kThreads,
             sizeof(CrossEntropyPartial<Tile>)},
            partial + row * splits, hit + row, x_rows, all_w, target.as<int32_t>() + row, tiles);
      }
      launch<cross_entropy_merge_kernel>(stream, grid_of(N * kWarpSize), lse.as<float>(), terms,
                                         partial, hit, target.as<int32_t>(), N, V, splits,
                                         stream.fault());
      logit_total<false>(stream, loss.as<float>(), terms, N, weight);
    });
  });
}

void cross_entropy_backward(Stream& stream, Out dx, Acc dw, In x, In w, In target, In lse,
                            float weight) {
  const int64_t N = x[0], V = w[0], C = x[1];
  const int32_t* wanted = target.as<int32_t>();
  launch<cross_entropy_check_kernel>(stream, grid_of(N), wanted, N, V, stream.fault());
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    dispatch_tile(LogitOperand<T>(x, 0, N), LogitOperand<T>(w, 0, V), [&]<class Tile>() {
      // dx is summed over the chunks in fp32: in place, or where that is rounded at the end.
      const int64_t most_rows = std::min(N, kRowBlock);
      const int64_t ds_bytes =
          ceil_div(most_rows * std::min(V, kColumnBlock) * int64_t(sizeof(T)), 16) * 16;
      const int64_t sum_bytes = x.dtype == DType::f32 ? 0 : most_rows * C * 4;
      std::byte* memory = stream.scratch().reserve_bytes(ds_bytes + sum_bytes);
      T* ds = reinterpret_cast<T*>(memory);
      for (int64_t row = 0; row < N; row += kRowBlock) {
        const LogitOperand<T> x_rows(x, row, kRowBlock);
        const Tensor to = dx.rows(row, x_rows.rows);
        Tensor sum = to;
        if (sum_bytes > 0) sum = Tensor{memory + ds_bytes, to.shape, DType::f32, to.device};
        fill(stream, sum, 0.0f);
        for (int64_t column = 0; column < V; column += kColumnBlock) {
          const LogitOperand<T> w_rows(w, column, kColumnBlock);
          const Grid grid{dim3(unsigned(ceil_div(x_rows.rows, Tile::kRows)),
                               unsigned(ceil_div(w_rows.rows, Tile::kColumns))),
                          Tile::kThreads, sizeof(CrossEntropyGradient<Tile>)};
          dispatch_store(ds, w_rows.rows, [&]<Store kStore>() {
            launch<cross_entropy_ds_kernel<Tile, kStore>>(stream, grid,
                                                          logits_to(ds, x_rows.rows, w_rows.rows),
                                                          x_rows, w_rows, wanted + row,
                                                          lse.as<float>() + row, weight, column);
          });
          gemm(stream, adding(Layout::plain, x_rows.rows, C, w_rows.rows, x.dtype),
               {.c = sum.data, .a = ds, .b = w_rows.data});
          gemm(stream, adding(Layout::transposed, w_rows.rows, C, x_rows.rows, x.dtype),
               {.c = dw.as<float>() + column * C, .a = ds, .b = x_rows.data});
        }
        if (sum_bytes > 0) convert(stream, to, sum);
      }
    });
  });
}

}  // namespace laclip::cuda

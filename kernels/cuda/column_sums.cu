#include "kernels/cuda/column_sums.h"

#include <algorithm>

#include "kernels/cuda/device/column_sums.cuh"

namespace laclip::cuda {
namespace {

constexpr int kColumnSumThreads = 256, kWarps = kColumnSumThreads / kWarpSize;

// A warp reads 32 packs of a row, the warps of a block take rows in turn, and a block has a strip of
// columns and a part of the rows; x is read once. kWide: elements that a thread reads at once.
template <class T, int kWide>
struct Strip {
  static constexpr int kColumns = kWide * kWarpSize;
  struct Shared {
    float of_warp[kWarps][kColumns];
  };
};

template <class T, int kWide>
__global__ void __launch_bounds__(kColumnSumThreads)
    column_sums_kernel(float* parts, const T* x, int64_t rows, int64_t width,
                       int64_t rows_of_part) {
  using S = Strip<T, kWide>;
  auto& s = shared<typename S::Shared>();
  const int64_t strip = int64_t(blockIdx.x) * S::kColumns;
  const int64_t column = strip + lane_of_thread() * kWide;
  const int64_t begin = int64_t(blockIdx.y) * rows_of_part;
  const int64_t end = min(rows, begin + rows_of_part);
  float sums[kWide] = {};
  if (column < width) {
#pragma unroll 4
    for (int64_t row = begin + warp_of_thread(); row < end; row += kWarps) {
      const T* from = x + row * width + column;
      if constexpr (kWide > 1) {
        const Pack<T> pack = load16(from);
#pragma unroll
        for (int e = 0; e < kWide; ++e) sums[e] += float(pack[e]);
      } else {
        sums[0] += float(*from);
      }
    }
  }
#pragma unroll
  for (int e = 0; e < kWide; ++e)
    s.of_warp[warp_of_thread()][lane_of_thread() * kWide + e] = sums[e];
  __syncthreads();  // all warps' sums are there
  for (int c = int(threadIdx.x); c < S::kColumns; c += kColumnSumThreads) {
    if (strip + c >= width) return;
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < kWarps; ++warp) sum += s.of_warp[warp][c];
    parts[int64_t(blockIdx.y) * width + strip + c] = sum;
  }
}

template <class T, int kWide>
void run(Stream& stream, float* to, const T* x, MatrixSize size, float* room, int64_t bytes) {
  using S = Strip<T, kWide>;
  constexpr int64_t kBlocks = 528, kFewestRows = 64;  // four blocks for each of 132 multiprocessors
  const int64_t strips = ceil_div(size.width, S::kColumns);
  const int64_t most = std::max<int64_t>(kBlocks / strips, 1);
  const int64_t rows_of_part =
      ceil_div(size.rows, std::clamp<int64_t>(size.rows / kFewestRows, 1, most));
  const int64_t parts = ceil_div(size.rows, rows_of_part);
  check(bytes >= 4 * parts * size.width,
        "column sums: {} bytes of working memory for {} parts of {}", bytes, parts, size.width);
  launch<column_sums_kernel<T, kWide>>(stream,
                                       Grid{dim3(unsigned(strips), unsigned(parts)),
                                            dim3(kColumnSumThreads), sizeof(typename S::Shared)},
                                       room, x, size.rows, size.width, rows_of_part);
  add_parts<1>(stream, ColumnTotals<1>{{to}}, room, parts, size.width);
}

}  // namespace

void add_column_sums(Stream& stream, float* to, const void* x, MatrixSize size, DType type,
                     float* room, int64_t bytes) {
  if (size.rows == 0 || size.width == 0) return;
  dispatch_float(type, [&]<class T>(TypeTag<T>) {
    const T* from = static_cast<const T*>(x);
    packs<T>(size.width, from) ? run<T, kPackSize<T>>(stream, to, from, size, room, bytes)
                               : run<T, 1>(stream, to, from, size, room, bytes);
  });
}

}  // namespace laclip::cuda

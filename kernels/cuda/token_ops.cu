#include "kernels/ops/token_ops.h"

#include "kernels/cuda/device/columns.cuh"
#include "kernels/cuda/device/launch.cuh"

namespace laclip::cuda {
namespace {

// Whether rows[b] is a row of the array; the thread with the first columns reports one that is not.
__device__ inline bool row_inside(FaultSink fault, int64_t b, int64_t row, int64_t N, bool first) {
  if (row >= 0 && row < N) return true;
  if (first) report(fault, KernelFault::id_outside, b, row, N);
  return false;
}

// y[b] = x[rows[b]]: reads and writes B rows.
template <int W, class T>
__global__ void gather_kernel(T* y, const T* x, const int32_t* rows, int64_t B, int64_t N,
                              int64_t C, FaultSink fault) {
  const int64_t units = C / W;
  for (int64_t i = grid_index(); i < B * units; i += grid_stride()) {
    const int64_t b = i / units, unit = i - b * units, row = rows[b];
    if (row_inside(fault, b, row, N, unit == 0)) copy_columns<W>(y + i * W, x + row * C + unit * W);
  }
}

// Writes every row.
template <class T>
__global__ void zero_kernel(T* dx, int64_t packs, int64_t count) {
  Pack<T> zeros;
#pragma unroll
  for (int k = 0; k < kPackSize<T>; ++k) store(zeros[k], 0.0f);
  for (int64_t i = grid_index(); i < packs; i += grid_stride())
    store16(dx + i * kPackSize<T>, zeros);
  for (int64_t i = packs * kPackSize<T> + grid_index(); i < count; i += grid_stride())
    store(dx[i], 0.0f);
}

// dx[rows[b]] = dy[b]: reads and writes B rows, which differ.
template <int W, class T>
__global__ void scatter_kernel(T* dx, const T* dy, const int32_t* rows, int64_t B, int64_t N,
                               int64_t C, FaultSink fault) {
  const int64_t units = C / W;
  for (int64_t i = grid_index(); i < B * units; i += grid_stride()) {
    const int64_t b = i / units, unit = i - b * units, row = rows[b];
    if (row_inside(fault, b, row, N, unit == 0))
      copy_columns<W>(dx + row * C + unit * W, dy + i * W);
  }
}

}  // namespace

void gather_rows_forward(Stream& stream, Out y, In x, In rows) {
  const int64_t B = y[0], N = x[0], C = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    constexpr int kWide = kPackSize<T>;
    if (packs<T>(C, y.as<T>(), x.as<T>()))
      launch<gather_kernel<kWide, T>>(stream, grid_of(B * C / kWide), y.as<T>(), x.as<T>(),
                                      rows.as<int32_t>(), B, N, C, stream.fault());
    else
      launch<gather_kernel<1, T>>(stream, grid_of(B * C), y.as<T>(), x.as<T>(), rows.as<int32_t>(),
                                  B, N, C, stream.fault());
  });
}

void gather_rows_backward(Stream& stream, Out dx, In dy, In rows) {
  const int64_t B = dy[0], N = dx[0], C = dx[1], count = N * C;
  dispatch_float(dx.dtype, [&]<class T>(TypeTag<T>) {
    constexpr int kWide = kPackSize<T>;
    const bool aligned = packs<T>(kWide, dx.as<T>());
    launch<zero_kernel<T>>(stream, grid_of(aligned ? ceil_div(count, kWide) : count), dx.as<T>(),
                           aligned ? count / kWide : 0, count);
    if (packs<T>(C, dx.as<T>(), dy.as<T>()))
      launch<scatter_kernel<kWide, T>>(stream, grid_of(B * C / kWide), dx.as<T>(), dy.as<T>(),
                                       rows.as<int32_t>(), B, N, C, stream.fault());
    else
      launch<scatter_kernel<1, T>>(stream, grid_of(B * C), dx.as<T>(), dy.as<T>(),
                                   rows.as<int32_t>(), B, N, C, stream.fault());
  });
}

}  // namespace laclip::cuda

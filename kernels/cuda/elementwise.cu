#include "kernels/ops/elementwise.h"

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

// A thread takes a pack of 16 bytes; what is left over at the end goes one by one.
template <class T>
__global__ void add_kernel(T* y, const T* a, const T* b, int64_t packs, int64_t count) {
  for (int64_t i = grid_index(); i < packs; i += grid_stride()) {
    const int64_t at = i * kPackSize<T>;
    const Pack<T> pa = load16(a + at), pb = load16(b + at);
    Pack<T> sum;
    for (int k = 0; k < kPackSize<T>; ++k) store(sum[k], float(pa[k]) + float(pb[k]));
    store16(y + at, sum);
  }
  for (int64_t i = packs * kPackSize<T> + grid_index(); i < count; i += grid_stride())
    store(y[i], float(a[i]) + float(b[i]));
}

template <class To, class From>
__global__ void convert_kernel(To* y, const From* x, int64_t count) {
  for (int64_t i = grid_index(); i < count; i += grid_stride()) store(y[i], float(x[i]));
}

template <class T>
__global__ void fill_kernel(T* y, float value, int64_t count) {
  for (int64_t i = grid_index(); i < count; i += grid_stride()) store(y[i], value);
}

__global__ void multiples_kernel(int32_t* y, int stride, int64_t count) {
  for (int64_t i = grid_index(); i < count; i += grid_stride()) y[i] = int32_t(i * stride);
}

__global__ void clamp_kernel(float* y, Bounds bounds, int64_t count) {
  for (int64_t i = grid_index(); i < count; i += grid_stride())
    if (y[i] < bounds.low)
      y[i] = bounds.low;
    else if (y[i] > bounds.high)
      y[i] = bounds.high;
}

}  // namespace

void add(Stream& stream, Out y, In a, In b) {
  const int64_t count = y.elements();
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    T* to = y.as<T>();
    const bool aligned = packs<T>(kPackSize<T>, to, a.as<T>(), b.as<T>());
    const int64_t whole = aligned ? count / kPackSize<T> : 0;
    launch<add_kernel<T>>(stream, grid_of(aligned ? ceil_div(count, kPackSize<T>) : count), to,
                          a.as<T>(), b.as<T>(), whole, count);
  });
}

void convert(Stream& stream, Out y, In x) {
  dispatch_float(y.dtype, [&]<class To>(TypeTag<To>) {
    dispatch_float(x.dtype, [&]<class From>(TypeTag<From>) {
      launch<convert_kernel<To, From>>(stream, grid_of(y.elements()), y.as<To>(), x.as<From>(),
                                       y.elements());
    });
  });
}

void fill(Stream& stream, Out y, float value) {
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    launch<fill_kernel<T>>(stream, grid_of(y.elements()), y.as<T>(), value, y.elements());
  });
}

void multiples(Stream& stream, Out y, int stride) {
  launch<multiples_kernel>(stream, grid_of(y.elements()), y.as<int32_t>(), stride, y.elements());
}

void clamp(Stream& stream, InOut y, Bounds bounds) {
  launch<clamp_kernel>(stream, grid_of(y.elements()), y.as<float>(), bounds, y.elements());
}

}  // namespace laclip::cuda

#include "kernels/ops/elementwise.h"

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

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

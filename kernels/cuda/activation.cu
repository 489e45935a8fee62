#include "kernels/ops/activation.h"

#include "kernels/cuda/device/activation.cuh"
#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

// A thread takes a pack of 16 bytes; what is left over at the end goes one by one. Reads x, writes y.
template <class F, class T>
__global__ void activation_forward_kernel(T* y, const T* x, int64_t packs, int64_t count) {
  for (int64_t i = grid_index(); i < packs; i += grid_stride()) {
    const Pack<T> in = load16(x + i * kPackSize<T>);
    Pack<T> out;
#pragma unroll
    for (int k = 0; k < kPackSize<T>; ++k) store(out[k], F::value(float(in[k])));
    store16(y + i * kPackSize<T>, out);
  }
  for (int64_t i = packs * kPackSize<T> + grid_index(); i < count; i += grid_stride())
    store(y[i], F::value(float(x[i])));
}

// Reads dy and x, writes dx.
template <class F, class T>
__global__ void activation_backward_kernel(T* dx, const T* dy, const T* x, int64_t packs,
                                           int64_t count) {
  for (int64_t i = grid_index(); i < packs; i += grid_stride()) {
    const int64_t at = i * kPackSize<T>;
    const Pack<T> in = load16(x + at), grad = load16(dy + at);
    Pack<T> out;
#pragma unroll
    for (int k = 0; k < kPackSize<T>; ++k) store(out[k], float(grad[k]) * F::slope(float(in[k])));
    store16(dx + at, out);
  }
  for (int64_t i = packs * kPackSize<T> + grid_index(); i < count; i += grid_stride())
    store(dx[i], float(dy[i]) * F::slope(float(x[i])));
}

__device__ inline float swiglu(float gate, float up) { return gate * sigmoid(gate) * up; }

// A thread's W columns of the gate and of the value beside it lie F apart. Reads x = [g | u], writes
// y: one division for a pack, hidden under its 48 bytes.
template <int W, class T>
__global__ void swiglu_forward_kernel(T* y, const T* x, int64_t N, int64_t F) {
  const int64_t units = F / W;
  for (int64_t i = grid_index(); i < N * units; i += grid_stride()) {
    const int64_t n = i / units;
    const T* gate = x + n * F + i * W;  // row n of width 2F, column (i - n·units) W
    if constexpr (W == 1) {
      store(y[i], swiglu(float(gate[0]), float(gate[F])));
    } else {
      const Pack<T> g = load16(gate), u = load16(gate + F);
      Pack<T> out;
#pragma unroll
      for (int k = 0; k < W; ++k) store(out[k], swiglu(float(g[k]), float(u[k])));
      store16(y + i * W, out);
    }
  }
}

template <class T>
__device__ void swiglu_gradient(T& dgate, T& dup, float grad, float gate, float up) {
  const float s = sigmoid(gate);
  store(dgate, grad * up * s * (1.0f + gate * (1.0f - s)));
  store(dup, grad * gate * s);
}

// Reads x and dy, writes dx.
template <int W, class T>
__global__ void swiglu_backward_kernel(T* dx, const T* dy, const T* x, int64_t N, int64_t F) {
  const int64_t units = F / W;
  for (int64_t i = grid_index(); i < N * units; i += grid_stride()) {
    const int64_t at = i / units * F + i * W;
    if constexpr (W == 1) {
      swiglu_gradient(dx[at], dx[at + F], float(dy[i]), float(x[at]), float(x[at + F]));
    } else {
      const Pack<T> g = load16(x + at), u = load16(x + at + F), grad = load16(dy + i * W);
      Pack<T> dg, du;
#pragma unroll
      for (int k = 0; k < W; ++k)
        swiglu_gradient(dg[k], du[k], float(grad[k]), float(g[k]), float(u[k]));
      store16_global(dx + at, dg);
      store16_global(dx + at + F, du);
    }
  }
}

template <class Body>
void with_kind(Activation kind, Body&& body) {
  if (kind == Activation::gelu)
    body(Gelu{});
  else
    body(QuickGelu{});
}

}  // namespace

void activation_forward(Stream& stream, Out y, In x, Activation kind) {
  const int64_t count = x.elements();
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    with_kind(kind, [&]<class F>(F) {
      const bool aligned = packs<T>(kPackSize<T>, y.as<T>(), x.as<T>());
      const int64_t whole = aligned ? count / kPackSize<T> : 0;
      launch<activation_forward_kernel<F, T>>(stream,
                                              grid_of(aligned ? ceil_div(count, kPackSize<T>)
                                                              : count),
                                              y.as<T>(), x.as<T>(), whole, count);
    });
  });
}

void swiglu_forward(Stream& stream, Out y, In x) {
  const int64_t N = y[0], F = y[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    constexpr int kWide = kPackSize<T>;
    if (packs<T>(F, y.as<T>(), x.as<T>()))
      launch<swiglu_forward_kernel<kWide, T>>(stream, grid_of(N * F / kWide), y.as<T>(), x.as<T>(),
                                              N, F);
    else
      launch<swiglu_forward_kernel<1, T>>(stream, grid_of(N * F), y.as<T>(), x.as<T>(), N, F);
  });
}

void activation_backward(Stream& stream, Out dx, In dy, In x, Activation kind) {
  const int64_t count = x.elements();
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    with_kind(kind, [&]<class F>(F) {
      const bool aligned = packs<T>(kPackSize<T>, dx.as<T>(), dy.as<T>(), x.as<T>());
      const int64_t whole = aligned ? count / kPackSize<T> : 0;
      launch<activation_backward_kernel<F, T>>(stream,
                                               grid_of(aligned ? ceil_div(count, kPackSize<T>)
                                                               : count),
                                               dx.as<T>(), dy.as<T>(), x.as<T>(), whole, count);
    });
  });
}

void swiglu_backward(Stream& stream, Out dx, In dy, In x) {
  const int64_t N = dy[0], F = dy[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    constexpr int kWide = kPackSize<T>;
    if (packs<T>(F, dx.as<T>(), dy.as<T>(), x.as<T>()))
      launch<swiglu_backward_kernel<kWide, T>>(stream, grid_of(N * F / kWide), dx.as<T>(),
                                               dy.as<T>(), x.as<T>(), N, F);
    else
      launch<swiglu_backward_kernel<1, T>>(stream, grid_of(N * F), dx.as<T>(), dy.as<T>(),
                                           x.as<T>(), N, F);
  });
}

}  // namespace laclip::cuda

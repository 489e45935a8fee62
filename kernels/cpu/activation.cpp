#include "kernels/ops/activation.h"

#include "base/parallel.h"
#include "kernels/cpu/activation_math.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
void activation_forward(Stream&, Out y, In x, Activation kind) {
  const int64_t count = x.elements();
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    with_activation(kind, [&]<class F>(F) {
      const T* in = x.as<T>();
      T* out = y.as<T>();
      parallel_elements(count, [=](int64_t i) { store(out[i], F::value(float(in[i]))); });
    });
  });
}

void activation_backward(Stream&, Out dx, In dy, In x, Activation kind) {
  const int64_t count = x.elements();
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    with_activation(kind, [&]<class F>(F) {
      const T *in = x.as<T>(), *grad = dy.as<T>();
      T* out = dx.as<T>();
      parallel_elements(count,
                        [=](int64_t i) { store(out[i], float(grad[i]) * F::slope(float(in[i]))); });
    });
  });
}

void swiglu_forward(Stream&, Out y, In x) {
  const int64_t N = y[0], F = y[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(N, F, [&](int64_t n) {
      const T *gate = x.as<T>() + n * 2 * F, *up = gate + F;
      T* out = y.as<T>() + n * F;
#pragma omp simd
      for (int64_t f = 0; f < F; ++f)
        store(out[f], float(gate[f]) * sigmoid(float(gate[f])) * float(up[f]));
    });
  });
}

void swiglu_backward(Stream&, Out dx, In dy, In x) {
  const int64_t N = dy[0], F = dy[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(N, F, [&](int64_t n) {
      const T *gate = x.as<T>() + n * 2 * F, *up = gate + F, *grad = dy.as<T>() + n * F;
      T *dgate = dx.as<T>() + n * 2 * F, *dup = dgate + F;
#pragma omp simd
      for (int64_t f = 0; f < F; ++f) {
        const float g = float(gate[f]), s = sigmoid(g), d = float(grad[f]);
        store(dgate[f], d * float(up[f]) * s * (1.0f + g * (1.0f - s)));
        store(dup[f], d * g * s);
      }
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

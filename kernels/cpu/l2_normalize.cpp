#include "kernels/ops/l2_normalize.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void l2_normalize_forward(Stream&, Out y, Out norm, In x) {
  const int64_t B = x[0], E = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(B, E, [&](int64_t b) {
      const T* in = x.as<T>() + b * E;
      T* out = y.as<T>() + b * E;
      float squares = 0;
#pragma omp simd reduction(+ : squares)
      for (int64_t e = 0; e < E; ++e) squares += float(in[e]) * float(in[e]);
      const float length = std::max(std::sqrt(squares), 1e-12f);
      for (int64_t e = 0; e < E; ++e) store(out[e], float(in[e]) / length);
      norm.as<float>()[b] = length;
    });
  });
}

void l2_normalize_backward(Stream&, Out dx, In dy, In y, In norm) {
  const int64_t B = y[0], E = y[1];
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(B, E, [&](int64_t b) {
      const T *unit = y.as<T>() + b * E, *grad = dy.as<T>() + b * E;
      T* out = dx.as<T>() + b * E;
      float dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t e = 0; e < E; ++e) dot += float(grad[e]) * float(unit[e]);
      const float inverse = 1.0f / norm.as<float>()[b];
      for (int64_t e = 0; e < E; ++e)
        store(out[e], (float(grad[e]) - float(unit[e]) * dot) * inverse);
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

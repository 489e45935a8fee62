#include "kernels/ops/rmsnorm.h"

#include <cmath>

#include "base/parallel.h"
#include "kernels/cpu/norm.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void rmsnorm_forward(Stream&, Out y, Out rstd, In x, In gamma, float eps) {
  const int64_t N = x[0], C = x[1];
  float* keep = rstd ? rstd.as<float>() : nullptr;
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    const T* scale = gamma.as<T>();
    parallel_rows(N, C, [&](int64_t n) {
      const T* in = x.as<T>() + n * C;
      T* out = y.as<T>() + n * C;
      float squares = 0;
#pragma omp simd reduction(+ : squares)
      for (int64_t c = 0; c < C; ++c) squares += float(in[c]) * float(in[c]);
      const float r = 1.0f / std::sqrt(squares / float(C) + eps);
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) store(out[c], float(scale[c]) * float(in[c]) * r);
      if (keep) keep[n] = r;
    });
  });
}

void rmsnorm_backward(Stream& stream, Out dx, Acc dgamma, In dy, In x, In rstd, In gamma,
                      In dskip) {
  const int64_t N = x[0], C = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    const T* scale = gamma.as<T>();
    sum_over_blocks(
        stream, N, C,
        [&](int64_t begin, int64_t end, float* sums) {
          for (int64_t n = begin; n < end; ++n) {
            const T *in = x.as<T>() + n * C, *grad = dy.as<T>() + n * C;
            const T* factor = scale;  // a local variable, without which g++ 12 does not vectorise
            const T* skip = dskip ? dskip.as<T>() + n * C : nullptr;
            T* out = dx.as<T>() + n * C;
            const float r = rstd.as<float>()[n];
            float sum_gx = 0;
#pragma omp simd reduction(+ : sum_gx)
            for (int64_t c = 0; c < C; ++c) {
              const float d = float(grad[c]), normalized = float(in[c]) * r;
              sums[c] += d * normalized;
              sum_gx += float(factor[c]) * d * normalized;
            }
            const float mean_gx = sum_gx / float(C);
#pragma omp simd
            for (int64_t c = 0; c < C; ++c) {
              const float g = float(factor[c]) * float(grad[c]);
              store(out[c], r * (g - float(in[c]) * r * mean_gx) + (skip ? float(skip[c]) : 0.0f));
            }
          }
        },
        [&](const float* sums) {
          for (int64_t c = 0; c < C; ++c) dgamma.as<float>()[c] += sums[c];
        });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

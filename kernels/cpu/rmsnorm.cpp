#include "kernels/ops/rmsnorm.h"

#include <cmath>

namespace laclip::cpu {

void rmsnorm_forward(Stream&, Out y, In x, In gamma, float eps) {
  const int64_t N = x[0], C = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    const T* scale = gamma.as<T>();
#pragma omp parallel for schedule(static) if (N * C > 16384)
    for (int64_t n = 0; n < N; ++n) {
      const T* in = x.as<T>() + n * C;
      T* out = y.as<T>() + n * C;
      float squares = 0;
#pragma omp simd reduction(+ : squares)
      for (int64_t c = 0; c < C; ++c) squares += float(in[c]) * float(in[c]);
      const float rstd = 1.0f / std::sqrt(squares / float(C) + eps);
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) store(out[c], float(scale[c]) * float(in[c]) * rstd);
    }
  });
}

}  // namespace laclip::cpu

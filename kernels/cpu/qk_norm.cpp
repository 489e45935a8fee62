#include "kernels/ops/qk_norm.h"

#include <cstring>

#include "base/parallel.h"
#include "kernels/cpu/norm.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
void qk_norm_forward(Stream&, Out y, Out mean, Out rstd, In x, In gamma_q, In beta_q, In gamma_k,
                     In beta_k, float eps) {
  check_qk_rows("qk_norm_forward", x, mean[1], gamma_q);
  const int64_t N = x[0], Q = x[1], J = mean[1], D = gamma_q[0];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(N, Q, [&](int64_t n) {
      const T* in = x.as<T>() + n * Q;
      T* out = y.as<T>() + n * Q;
      for (int64_t j = 0; j < J; ++j) {
        const bool query = j < J / 2;
        normalize_row(out + j * D, mean.as<float>()[n * J + j], rstd.as<float>()[n * J + j],
                      in + j * D, (query ? gamma_q : gamma_k).as<T>(),
                      (query ? beta_q : beta_k).as<T>(), D, eps);
      }
      std::memcpy(out + J * D, in + J * D, size_t(Q - J * D) * sizeof(T));
    });
  });
}

void qk_norm_backward(Stream& stream, Out dx, Acc dgamma_q, Acc dbeta_q, Acc dgamma_k, Acc dbeta_k,
                      In dy, In x, In mean, In rstd, In gamma_q, In gamma_k) {
  check_qk_rows("qk_norm_backward", x, mean[1], gamma_q);
  const int64_t N = x[0], Q = x[1], J = mean[1], D = gamma_q[0];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    sum_over_blocks(
        stream, N, 4 * D,
        [&](int64_t begin, int64_t end, float* sums) {
          for (int64_t n = begin; n < end; ++n) {
            const T *in = x.as<T>() + n * Q, *grad = dy.as<T>() + n * Q;
            T* out = dx.as<T>() + n * Q;
            std::memcpy(out + J * D, grad + J * D, size_t(Q - J * D) * sizeof(T));
            for (int64_t j = 0; j < J; ++j) {
              const bool query = j < J / 2;
              float* own = sums + (query ? 0 : 2 * D);
              normalize_row_backward(out + j * D, own, own + D, grad + j * D, in + j * D,
                                     mean.as<float>()[n * J + j], rstd.as<float>()[n * J + j],
                                     (query ? gamma_q : gamma_k).as<T>(),
                                     static_cast<const T*>(nullptr), D);
            }
          }
        },
        [&](const float* sums) {
          const Acc* totals[] = {&dgamma_q, &dbeta_q, &dgamma_k, &dbeta_k};
          for (const Acc* total : totals)
            for (int64_t d = 0; d < D; ++d) total->as<float>()[d] += *sums++;
        });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

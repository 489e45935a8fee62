#include "kernels/ops/layernorm.h"

#include "base/parallel.h"
#include "kernels/cpu/norm.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void layernorm_forward(Stream&, Out y, Out mean, Out rstd, In x, In gamma, In beta, float eps) {
  const int64_t N = x[0], C = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(N, C, [&](int64_t n) {
      normalize_row(y.as<T>() + n * C, mean.as<float>()[n], rstd.as<float>()[n], x.as<T>() + n * C,
                    gamma.as<T>(), beta.as<T>(), C, eps);
    });
  });
}

void layernorm_backward(Stream& stream, Out dx, Acc dgamma, Acc dbeta, In dy, In x, In mean,
                        In rstd, In gamma, In dskip) {
  const int64_t N = x[0], C = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    const T *in = x.as<T>(), *grad = dy.as<T>(), *skip = dskip ? dskip.as<T>() : nullptr;
    sum_over_blocks(
        stream, N, 2 * C,
        [&](int64_t begin, int64_t end, float* sums) {
          for (int64_t n = begin; n < end; ++n)
            normalize_row_backward(dx.as<T>() + n * C, sums, sums + C, grad + n * C, in + n * C,
                                   mean.as<float>()[n], rstd.as<float>()[n], gamma.as<T>(),
                                   skip ? skip + n * C : nullptr, C);
        },
        [&](const float* sums) {
          for (int64_t c = 0; c < C; ++c) dgamma.as<float>()[c] += sums[c];
          for (int64_t c = 0; c < C; ++c) dbeta.as<float>()[c] += sums[C + c];
        });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

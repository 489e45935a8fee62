// Layer normalisation of each query and key head inside packed rows [q | k | v] (timm's qk_norm,
// used by LaCLIP's ViT; mathematics in layernorm.h, with C = D, over H + K heads).
//
//   y[q heads] = LN(x[q heads]; gamma_q, beta_q)    y[k heads] = LN(x[k heads]; gamma_k, beta_k)
//   y[v heads] = x[v heads]
//
// With H query heads and as many key heads, D = head size: a row holds 3·H·D values; mean and rstd
// hold the 2·H heads, queries first.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

inline void check_qk_rows(const char* op, In x, int64_t J, In gamma_q) {
  check(2 * x[1] == 3 * J * gamma_q[0] && J % 2 == 0,
        "{}: a row of {} values is not [q | k | v] of {} heads of {}", op, x[1], J / 2, gamma_q[0]);
}

using QkNormForward = void(Stream&, Out y, Out mean, Out rstd, In x, In gamma_q, In beta_q,
                           In gamma_k, In beta_k, float eps);
using QkNormBackward = void(Stream&, Out dx, Acc dgamma_q, Acc dbeta_q, Acc dgamma_k, Acc dbeta_k,
                            In dy, In x, In mean, In rstd, In gamma_q, In gamma_k);
namespace cpu {
LACLIP_CPU_OP(QkNormForward, qk_norm_forward)
LACLIP_CPU_OP(QkNormBackward, qk_norm_backward)
}  // namespace cpu
namespace cuda {
QkNormForward qk_norm_forward;
QkNormBackward qk_norm_backward;
}  // namespace cuda

inline constexpr Op<QkNormForward> qk_norm_forward{
    "qk_norm_forward: y[N Q] mean[N J]:f32 rstd[N J]:f32 <- "
    "x[N Q] gamma_q[D] beta_q[D] gamma_k[D] beta_k[D]",
    cpu::qk_norm_forward, cuda::qk_norm_forward};
inline constexpr Op<QkNormBackward> qk_norm_backward{
    "qk_norm_backward: dx[N Q] dgamma_q[D]:f32 dbeta_q[D]:f32 dgamma_k[D]:f32 dbeta_k[D]:f32 <- "
    "dy[N Q] x[N Q] mean[N J]:f32 rstd[N J]:f32 gamma_q[D] gamma_k[D]",
    cpu::qk_norm_backward, cuda::qk_norm_backward};

}  // namespace laclip

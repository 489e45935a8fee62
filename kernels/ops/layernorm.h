// Layer normalisation over the last dimension (Ba, Kiros, Hinton 2016).
//
//   mean = 1/C Σ x        rstd = 1 / sqrt(1/C Σ (x - mean)² + eps)        x̂ = (x - mean) rstd
//   y    = gamma x̂ + beta
//
//   dgamma += Σ_n dy x̂    dbeta += Σ_n dy
//   g  = gamma dy
//   dx = rstd (g - 1/C Σ g - x̂ 1/C Σ g x̂) + dskip
//
// dskip is the gradient that reaches x by the residual connection around the block, if any.
// The variance is taken in two passes; all sums are in fp32.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using LayernormForward = void(Stream&, Out y, Out mean, Out rstd, In x, In gamma, In beta,
                              float eps);
using LayernormBackward = void(Stream&, Out dx, Acc dgamma, Acc dbeta, In dy, In x, In mean,
                               In rstd, In gamma, In dskip);
namespace cpu {
LACLIP_CPU_OP(LayernormForward, layernorm_forward)
LACLIP_CPU_OP(LayernormBackward, layernorm_backward)
}  // namespace cpu
namespace cuda {
LayernormForward layernorm_forward;
LayernormBackward layernorm_backward;
}  // namespace cuda

inline constexpr Op<LayernormForward> layernorm_forward{
    "layernorm_forward: y[N C] mean[N]:f32 rstd[N]:f32 <- x[N C] gamma[C] beta[C]",
    cpu::layernorm_forward, cuda::layernorm_forward};
inline constexpr Op<LayernormBackward> layernorm_backward{
    "layernorm_backward: dx[N C] dgamma[C]:f32 dbeta[C]:f32 <- "
    "dy[N C] x[N C] mean[N]:f32 rstd[N]:f32 gamma[C] dskip?[N C]",
    cpu::layernorm_backward, cuda::layernorm_backward};

}  // namespace laclip

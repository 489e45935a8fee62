// Root-mean-square normalisation (Zhang, Sennrich 2019), as in LLaMA.
//
//   rstd = 1 / sqrt(1/C Σ x² + eps)        x̂ = x rstd        y = gamma x̂
//
//   dgamma += Σ_n dy x̂
//   g  = gamma dy
//   dx = rstd (g - x̂ 1/C Σ g x̂) + dskip
//
// dskip is the gradient that reaches x by the residual connection around the block, if any.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using RmsnormForward = void(Stream&, Out y, Out rstd, In x, In gamma, float eps);
using RmsnormBackward = void(Stream&, Out dx, Acc dgamma, In dy, In x, In rstd, In gamma, In dskip);
namespace cpu {
LACLIP_CPU_OP(RmsnormForward, rmsnorm_forward)
LACLIP_CPU_OP(RmsnormBackward, rmsnorm_backward)
}  // namespace cpu
namespace cuda {
RmsnormForward rmsnorm_forward;
RmsnormBackward rmsnorm_backward;
}  // namespace cuda

inline constexpr Op<RmsnormForward> rmsnorm_forward{
    "rmsnorm_forward: y[N C] rstd?[N]:f32 <- x[N C] gamma[C]", cpu::rmsnorm_forward,
    cuda::rmsnorm_forward};
inline constexpr Op<RmsnormBackward> rmsnorm_backward{
    "rmsnorm_backward: dx[N C] dgamma[C]:f32 <- dy[N C] x[N C] rstd[N]:f32 gamma[C] dskip?[N C]",
    cpu::rmsnorm_backward, cuda::rmsnorm_backward};

}  // namespace laclip

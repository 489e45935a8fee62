// The loss of a language model: softmax cross-entropy over logits x wᵀ, with the output matrix
// w[V C]. Rows whose target is negative do not count.
//
//   s[n,v] = x_n · w_v        lse[n] = log Σ_v exp s[n,v]
//   loss   = weight Σ_n (lse[n] - s[n,target[n]])
//
//   ds[n,v] = weight (exp(s[n,v] - lse[n]) - [v = target[n]])
//   dx_n    = Σ_v ds[n,v] w_v        dw_v += Σ_n ds[n,v] x_n
//
// `weight` is 1 / (targets that count in the whole batch), so that micro-batches add up.
// The logits are never stored: tiles of them with an online log-sum-exp, made again in backward. With
// bf16 operands ds is rounded to bf16 before its two products.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using CrossEntropyForward = void(Stream&, Out loss, Out lse, In x, In w, In target, float weight);
using CrossEntropyBackward = void(Stream&, Out dx, Acc dw, In x, In w, In target, In lse,
                                  float weight);
namespace cpu {
LACLIP_CPU_OP(CrossEntropyForward, cross_entropy_forward)
LACLIP_CPU_OP(CrossEntropyBackward, cross_entropy_backward)
}  // namespace cpu
namespace cuda {
CrossEntropyForward cross_entropy_forward;
CrossEntropyBackward cross_entropy_backward;
}  // namespace cuda

inline constexpr Op<CrossEntropyForward> cross_entropy_forward{
    "cross_entropy_forward: loss[1]:f32 lse[N]:f32 <- x[N C] w[V C] target[N]:i32",
    cpu::cross_entropy_forward, cuda::cross_entropy_forward};
inline constexpr Op<CrossEntropyBackward> cross_entropy_backward{
    "cross_entropy_backward: dx[N C] dw[V C]:f32 <- x[N C] w[V C] target[N]:i32 lse[N]:f32",
    cpu::cross_entropy_backward, cuda::cross_entropy_backward};

}  // namespace laclip

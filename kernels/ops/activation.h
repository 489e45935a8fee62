// Pointwise non-linearities.
//
//   gelu        y = x Φ(x) = x/2 (1 + erf(x/√2))      dx = dy (Φ(x) + x φ(x))
//   quick_gelu  y = x σ(1.702 x)                      dx = dy σ (1 + 1.702 x (1 - σ))
//   swiglu      y = silu(g) u, a row of x = [g | u]   (LLaMA; silu(g) = g σ(g))
//               dg = dy u σ(g) (1 + g (1 - σ(g)))     du = dy silu(g)
#pragma once

#include "kernels/core/op.h"

namespace laclip {

enum class Activation { gelu, quick_gelu };

using ActivationForward = void(Stream&, Out y, In x, Activation kind);
using ActivationBackward = void(Stream&, Out dx, In dy, In x, Activation kind);
using SwigluForward = void(Stream&, Out y, In x);
using SwigluBackward = void(Stream&, Out dx, In dy, In x);
namespace cpu {
LACLIP_CPU_OP(ActivationForward, activation_forward)
LACLIP_CPU_OP(ActivationBackward, activation_backward)
LACLIP_CPU_OP(SwigluForward, swiglu_forward)
LACLIP_CPU_OP(SwigluBackward, swiglu_backward)
}  // namespace cpu
namespace cuda {
ActivationForward activation_forward;
ActivationBackward activation_backward;
SwigluForward swiglu_forward;
SwigluBackward swiglu_backward;
}  // namespace cuda

inline constexpr Op<ActivationForward> activation_forward{"activation_forward: y[N F] <- x[N F]",
                                                          cpu::activation_forward,
                                                          cuda::activation_forward};
inline constexpr Op<ActivationBackward> activation_backward{
    "activation_backward: dx[N F] <- dy[N F] x[N F]", cpu::activation_backward,
    cuda::activation_backward};
inline constexpr Op<SwigluForward> swiglu_forward{"swiglu_forward: y[N F] <- x[N 2*F]",
                                                  cpu::swiglu_forward, cuda::swiglu_forward};
inline constexpr Op<SwigluBackward> swiglu_backward{
    "swiglu_backward: dx[N 2*F] <- dy[N F] x[N 2*F]", cpu::swiglu_backward, cuda::swiglu_backward};

}  // namespace laclip

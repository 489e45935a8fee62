// Affine maps. The weight of `linear` is stored [O C] (PyTorch's nn.Linear), that of `project`
// [C O] (CLIP's projections, which are applied as x @ w).
//
//   linear    y[n,o] = Σ_c x[n,c] w[o,c] + b[o] + skip[n,o]    project   y[n,o] = Σ_c x[n,c] w[c,o]
//   dx[n,c]  = Σ_o dy[n,o] w[o,c]                              dx[n,c]  = Σ_o dy[n,o] w[c,o]
//   dw[o,c] += Σ_n dy[n,o] x[n,c]                              dw[c,o] += Σ_n x[n,c] dy[n,o]
//   db[o]   += Σ_n dy[n,o]
//
// skip is the residual connection around the block; y may be skip. y may be fp32 while x and w are
// bf16 (logits; without skip). All sums are in fp32.
//
// With an activation, which is taken while the product is on its way to memory (activation.h):
//
//   u = linear(x)        h = act(u)               of u as it is stored
//   du[n,f] = act'(u[n,f]) Σ_o dy[n,o] w[o,f]     w is that of the map which took h
#pragma once

#include "kernels/core/op.h"
#include "kernels/ops/activation.h"

namespace laclip {

// Error if there is a skip and y is not of x's type.
inline void check_skip(const Out& y, In x, In skip) {
  check(!skip || y.dtype == x.dtype, "linear_forward: with skip, y is {} and not {}",
        name_of(x.dtype), name_of(y.dtype));
}

using LinearForward = void(Stream&, Out y, In x, In w, In b, In skip);
using LinearBackwardInput = void(Stream&, Out dx, In dy, In w);
using LinearBackwardWeight = void(Stream&, Acc dw, Acc db, In dy, In x);
using LinearActivationForward = void(Stream&, Out h, Out u, In x, In w, In b, Activation kind);
using LinearActivationBackward = void(Stream&, Out du, In dy, In w, In u, Activation kind);
using ProjectForward = void(Stream&, Out y, In x, In w);
using ProjectBackwardInput = void(Stream&, Out dx, In dy, In w);
using ProjectBackwardWeight = void(Stream&, Acc dw, In dy, In x);
namespace cpu {
LACLIP_CPU_OP(LinearForward, linear_forward)
LACLIP_CPU_OP(LinearBackwardInput, linear_backward_input)
LACLIP_CPU_OP(LinearBackwardWeight, linear_backward_weight)
LACLIP_CPU_OP(LinearActivationForward, linear_activation_forward)
LACLIP_CPU_OP(LinearActivationBackward, linear_activation_backward)
LACLIP_CPU_OP(ProjectForward, project_forward)
LACLIP_CPU_OP(ProjectBackwardInput, project_backward_input)
LACLIP_CPU_OP(ProjectBackwardWeight, project_backward_weight)
}  // namespace cpu
namespace cuda {
LinearForward linear_forward;
LinearBackwardInput linear_backward_input;
LinearBackwardWeight linear_backward_weight;
LinearActivationForward linear_activation_forward;
LinearActivationBackward linear_activation_backward;
ProjectForward project_forward;
ProjectBackwardInput project_backward_input;
ProjectBackwardWeight project_backward_weight;
}  // namespace cuda

inline constexpr Op<LinearForward> linear_forward{
    "linear_forward: y[N O]:* <- x[N C] w[O C] b?[O] skip?[N O]", cpu::linear_forward,
    cuda::linear_forward};
inline constexpr Op<LinearBackwardInput> linear_backward_input{
    "linear_backward_input: dx[N C] <- dy[N O] w[O C]", cpu::linear_backward_input,
    cuda::linear_backward_input};
inline constexpr Op<LinearBackwardWeight> linear_backward_weight{
    "linear_backward_weight: dw[O C]:f32 db?[O]:f32 <- dy[N O] x[N C]", cpu::linear_backward_weight,
    cuda::linear_backward_weight};
inline constexpr Op<LinearActivationForward> linear_activation_forward{
    "linear_activation_forward: h[N F] u?[N F] <- x[N C] w[F C] b?[F]",
    cpu::linear_activation_forward, cuda::linear_activation_forward};
inline constexpr Op<LinearActivationBackward> linear_activation_backward{
    "linear_activation_backward: du[N F] <- dy[N O] w[O F] u[N F]", cpu::linear_activation_backward,
    cuda::linear_activation_backward};
inline constexpr Op<ProjectForward> project_forward{"project_forward: y[N O] <- x[N C] w[C O]",
                                                    cpu::project_forward, cuda::project_forward};
inline constexpr Op<ProjectBackwardInput> project_backward_input{
    "project_backward_input: dx[N C] <- dy[N O] w[C O]", cpu::project_backward_input,
    cuda::project_backward_input};
inline constexpr Op<ProjectBackwardWeight> project_backward_weight{
    "project_backward_weight: dw[C O]:f32 <- dy[N O] x[N C]", cpu::project_backward_weight,
    cuda::project_backward_weight};

}  // namespace laclip

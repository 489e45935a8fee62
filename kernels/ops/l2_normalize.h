// Unit length for each row.
//
//   norm = max(‖x‖₂, 1e-12)      y = x / norm      dx = (dy - y (dy · y)) / norm
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using L2NormalizeForward = void(Stream&, Out y, Out norm, In x);
using L2NormalizeBackward = void(Stream&, Out dx, In dy, In y, In norm);
namespace cpu {
LACLIP_CPU_OP(L2NormalizeForward, l2_normalize_forward)
LACLIP_CPU_OP(L2NormalizeBackward, l2_normalize_backward)
}  // namespace cpu
namespace cuda {
L2NormalizeForward l2_normalize_forward;
L2NormalizeBackward l2_normalize_backward;
}  // namespace cuda

inline constexpr Op<L2NormalizeForward> l2_normalize_forward{
    "l2_normalize_forward: y[B E] norm[B]:f32 <- x[B E]", cpu::l2_normalize_forward,
    cuda::l2_normalize_forward};
inline constexpr Op<L2NormalizeBackward> l2_normalize_backward{
    "l2_normalize_backward: dx[B E] <- dy[B E] y[B E] norm[B]:f32", cpu::l2_normalize_backward,
    cuda::l2_normalize_backward};

}  // namespace laclip

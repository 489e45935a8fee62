// Picking rows: the class token of each image, the end-of-text token of each caption.
//
//   y[b] = x[rows[b]]        dx[rows[b]] = dy[b], all other rows 0        (the rows differ)
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using GatherRowsForward = void(Stream&, Out y, In x, In rows);
using GatherRowsBackward = void(Stream&, Out dx, In dy, In rows);
namespace cpu {
LACLIP_CPU_OP(GatherRowsForward, gather_rows_forward)
LACLIP_CPU_OP(GatherRowsBackward, gather_rows_backward)
}  // namespace cpu
namespace cuda {
GatherRowsForward gather_rows_forward;
GatherRowsBackward gather_rows_backward;
}  // namespace cuda

inline constexpr Op<GatherRowsForward> gather_rows_forward{
    "gather_rows_forward: y[B C] <- x[N C] rows[B]:i32", cpu::gather_rows_forward,
    cuda::gather_rows_forward};
inline constexpr Op<GatherRowsBackward> gather_rows_backward{
    "gather_rows_backward: dx[N C] <- dy[B C] rows[B]:i32", cpu::gather_rows_backward,
    cuda::gather_rows_backward};

}  // namespace laclip

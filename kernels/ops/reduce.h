// Reductions over flat arrays, in a fixed order whatever the number of threads.
//
//   sum_of_squares  y = Σ x²      The square of the global gradient norm. NaN and infinity pass
//                                 through, so a non-finite gradient shows here.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using SumOfSquares = void(Stream&, Out y, In x);
namespace cpu {
LACLIP_CPU_OP(SumOfSquares, sum_of_squares)
}  // namespace cpu
namespace cuda {
SumOfSquares sum_of_squares;
}  // namespace cuda

inline constexpr Op<SumOfSquares> sum_of_squares{"sum_of_squares: y[1]:f32 <- x[N]:f32",
                                                 cpu::sum_of_squares, cuda::sum_of_squares};

}  // namespace laclip

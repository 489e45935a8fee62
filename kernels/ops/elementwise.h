// Plain array operations, on flat views.
//
//   add      y = a + b                    (residual connections; y may be a or b)
//   convert  y = x in the type of y       (fp32 <-> bf16, round to nearest even)
//   fill     y = value
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using Add = void(Stream&, Out y, In a, In b);
using Convert = void(Stream&, Out y, In x);
using Fill = void(Stream&, Out y, float value);
namespace cpu {
Add add;
Convert convert;
Fill fill;
}  // namespace cpu
namespace cuda {
Add add;
Convert convert;
Fill fill;
}  // namespace cuda

inline constexpr Op<Add> add{"add: y[N C] <- a[N C] b[N C]", cpu::add, cuda::add};
inline constexpr Op<Convert> convert{"convert: y[N]:* <- x[N]:*", cpu::convert, cuda::convert};
inline constexpr Op<Fill> fill{"fill: y[N]:*", cpu::fill, cuda::fill};

}  // namespace laclip

// Plain array operations, on flat views.
//
//   convert    y = x in the type of y       (fp32 <-> bf16, round to nearest even)
//   fill       y = value
//   multiples  y[i] = i stride              (offsets of sequences of one length)
//   clamp      y = min(max(y, low), high)   (NaN stays)
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using Convert = void(Stream&, Out y, In x);
using Fill = void(Stream&, Out y, float value);
struct Bounds {
  float low, high;
};
using Multiples = void(Stream&, Out y, int stride);
using Clamp = void(Stream&, InOut y, Bounds);
namespace cpu {
LACLIP_CPU_OP(Convert, convert)
LACLIP_CPU_OP(Fill, fill)
LACLIP_CPU_OP(Clamp, clamp)
LACLIP_CPU_OP(Multiples, multiples)
}  // namespace cpu
namespace cuda {
Convert convert;
Fill fill;
Clamp clamp;
Multiples multiples;
}  // namespace cuda

inline constexpr Op<Convert> convert{"convert: y[N]:* <- x[N]:*", cpu::convert, cuda::convert};
inline constexpr Op<Fill> fill{"fill: y[N]:*", cpu::fill, cuda::fill};
inline constexpr Op<Multiples> multiples{"multiples: y[N]:i32", cpu::multiples, cuda::multiples};
inline constexpr Op<Clamp> clamp{"clamp: y[N]:f32", cpu::clamp, cuda::clamp};

}  // namespace laclip

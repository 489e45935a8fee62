// The one table of tolerances; the reasons are in docs/numerics.md.
#pragma once

#include "kernels/core/dtype.h"

namespace laclip::test {

// Largest |error| of an op's output over (|exact| + root mean square of the exact output), by the
// type in which that output is stored.
inline double value_tolerance(DType type) {
  return type == DType::f32 ? 1e-5 : type == DType::bf16 ? 8e-3 : 0;
}

// |⟨dy, J v⟩ - ⟨dx, v⟩| / ‖dx‖ of a gradient dx, for a random normal direction v, in fp32.
inline constexpr double kGradientTolerance = 1e-5;

}  // namespace laclip::test

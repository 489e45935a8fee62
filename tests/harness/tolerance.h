// The one table of tolerances; the reasons are in docs/numerics.md.
#pragma once

#include "kernels/core/dtype.h"

namespace laclip::test {

// Largest |error| of an op's output over (|exact| + root mean square of the exact output), by the
// type of its activations.
inline double value_tolerance(DType type) { return type == DType::f32 ? 1e-5 : 8e-3; }

// |⟨dy, J v⟩ - ⟨Jᵀ dy, v⟩| over the sum of the absolute values of the terms' norms, in fp32.
inline constexpr double kGradientTolerance = 1e-5;

}  // namespace laclip::test

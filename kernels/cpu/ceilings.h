// The peak rates of one core, at the level of this process: loops for `laclip bench`, each of which runs on the calling
// thread for some milliseconds.
#pragma once

#include "kernels/core/cpu_level.h"
#include "kernels/core/dtype.h"

namespace laclip::cpu {

// Multiplies and adds in registers, as GEMMs of the type do; returns the operations.
using ArithmeticLoop = double(DType type);
// Adds up memory; returns the sum.
using ReadLoop = float(const float* data, int64_t count);

LACLIP_CPU_OP(ArithmeticLoop, arithmetic_loop)
LACLIP_CPU_OP(ReadLoop, read_loop)

}  // namespace laclip::cpu

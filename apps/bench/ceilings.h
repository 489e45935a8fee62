// What the machine can do at most, measured in the same run as what is compared with it.
#pragma once

#include "kernels/core/dtype.h"

namespace laclip {

// Multiply-adds in registers only, on all cores: 10⁹ operations a second (2 an FMA). For bf16 the
// dot product instruction of AVX-512 if the CPU has it, otherwise the fp32 figure.
double peak_gflops(DType type);
// Reading a large array on all cores: 10⁹ bytes a second.
double read_bandwidth_gbs();

}  // namespace laclip

// The product of gemm.h without a library, for builds that have none (LACLIP_MINIMAL).
#pragma once

#include "kernels/cpu/gemm.h"

namespace laclip::cpu {

// A row of c has the same bits whatever M is and however many threads there are.
void gemm_own(const Gemm& shape, void* c, const void* a, const void* b, const void* bias = nullptr);

}  // namespace laclip::cpu

// In builds without libraries, in place of gemm.cpp.
#include "kernels/cpu/gemm_own.h"

namespace laclip::cpu {

void gemm(Stream&, const Gemm& g, void* c, const void* a, const void* b, const void* bias) {
  gemm_own(g, c, a, b, bias);
}

}  // namespace laclip::cpu

// Root-mean-square normalisation (Zhang, Sennrich 2019), as in LLaMA.
//
//   rstd = 1 / sqrt(1/C Σ x² + eps)        y = gamma x rstd
#pragma once

#include "kernels/core/op.h"

namespace laclip {

using RmsnormForward = void(Stream&, Out y, In x, In gamma, float eps);
namespace cpu {
RmsnormForward rmsnorm_forward;
}

inline constexpr Op<RmsnormForward> rmsnorm_forward{"rmsnorm_forward: y[N C] <- x[N C] gamma[C]",
                                                    cpu::rmsnorm_forward};

}  // namespace laclip

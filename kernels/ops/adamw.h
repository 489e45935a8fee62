// AdamW with decoupled weight decay (Loshchilov, Hutter 2019), one call for all parameters, which
// lie in one array, the decayed ones first. t = step, counted from 1.
//
//   g  = gradient · min(1, max_norm / (√square_norm + 1e-6))       (max_norm 0 = no clipping)
//   m  = beta1 m + (1 - beta1) g          v = beta2 v + (1 - beta2) g²
//   w  = w - lr (decay w + (m / (1 - beta1^t)) / (√(v / (1 - beta2^t)) + eps))
//   value = bf16(w)                                                 (if value is given)
//
// The decay term is left out for elements at `decayed` and behind. The clipping is PyTorch's
// clip_grad_norm_; asking for it without square_norm is an Error.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

struct AdamwOptions {
  float lr = 0, beta1 = 0.9f, beta2 = 0.98f, eps = 1e-8f, decay = 0;
  float max_norm = 0;
  int64_t decayed = 0;  // the first `decayed` elements are decayed
  int64_t step = 1;
};

inline void check_clipping(const AdamwOptions& o, In square_norm) {
  check(o.max_norm <= 0 || square_norm,
        "adamw: max_norm {} clips by the gradient norm, but square_norm is missing", o.max_norm);
}

using Adamw = void(Stream&, InOut w, InOut m, InOut v, Out value, In gradient, In square_norm,
                   AdamwOptions);
namespace cpu {
LACLIP_CPU_OP(Adamw, adamw)
}  // namespace cpu
namespace cuda {
Adamw adamw;
}  // namespace cuda

inline constexpr Op<Adamw> adamw{
    "adamw: w[N]:f32 m[N]:f32 v[N]:f32 value?[N]:bf16 <- gradient[N]:f32 square_norm?[1]:f32",
    cpu::adamw, cuda::adamw};

}  // namespace laclip

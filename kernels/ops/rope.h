// Rotary position embedding (Su et al. 2021) in the half-split form of Hugging Face: the pairs of a
// head are (x[i], x[i + D/2]), i < D/2. Applied in place to the query and key heads of rows
// [q | k | v]; the values stay.
//
//   x[i]       <- x[i] cos - x[i + D/2] sin        cos = table[position][i]
//   x[i + D/2] <- x[i + D/2] cos + x[i] sin        sin = table[position][D/2 + i]
//
// The backward op turns the gradient back by the same angle, the transpose of the rotation.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

struct RopeOptions {
  int heads = 1;  // query heads
  int key_heads = 1;
};

inline void check_rope_rows(const char* op, const InOut& qkv, In table, RopeOptions o) {
  const int64_t Q = qkv[1], D = table[1];
  check(Q == (o.heads + 2 * o.key_heads) * D && D % 2 == 0,
        "{}: a row of {} values is not [q | k | v] of {} + 2·{} heads of {}", op, Q, o.heads,
        o.key_heads, D);
}

using RopeForward = void(Stream&, InOut qkv, In table, In positions, RopeOptions);
using RopeBackward = void(Stream&, InOut dqkv, In table, In positions, RopeOptions);
namespace cpu {
LACLIP_CPU_OP(RopeForward, rope_forward)
LACLIP_CPU_OP(RopeBackward, rope_backward)
}  // namespace cpu
namespace cuda {
RopeForward rope_forward;
RopeBackward rope_backward;
}  // namespace cuda

// table[T D]: row t holds cos(t·f_i) for i < D/2, then sin(t·f_i); the model builds it.
inline constexpr Op<RopeForward> rope_forward{
    "rope_forward: qkv[N Q] <- table[T D]:f32 positions[N]:i32", cpu::rope_forward,
    cuda::rope_forward};

inline constexpr Op<RopeBackward> rope_backward{
    "rope_backward: dqkv[N Q] <- table[T D]:f32 positions[N]:i32", cpu::rope_backward,
    cuda::rope_backward};

}  // namespace laclip

// Scaled dot-product attention over packed sequences: rows offsets[s] .. offsets[s+1]-1 are
// sequence s. A row of qkv is [H query heads | K key heads | K value heads] of D values each; query
// head h reads key and value head h / (H/K).
//
//   s[i,j] = q_i · k_j / √D     over j of the same sequence, j <= i if causal
//   lse[i] = log Σ_j exp s[i,j]      p[i,j] = exp(s[i,j] - lse[i])      y_i = Σ_j p[i,j] v_j
//
//   dv_j = Σ_i p[i,j] dy_i           δ_i = dy_i · y_i
//   ds[i,j] = p[i,j] (dy_i · v_j - δ_i)
//   dq_i = Σ_j ds[i,j] k_j / √D      dk_j = Σ_i ds[i,j] q_i / √D
//
// The T×T matrix is never in memory: p is recomputed from lse (Dao et al. 2022).
#pragma once

#include "kernels/core/op.h"

namespace laclip {

struct AttentionOptions {
  int heads = 1;      // H
  int key_heads = 1;  // K, divides H
  bool causal = false;
};

// D, the values of a head.
inline int64_t head_size(const char* op, In qkv, int64_t lse_heads, int64_t y_width,
                         AttentionOptions o) {
  check(o.heads > 0 && o.key_heads > 0 && o.heads % o.key_heads == 0,
        "{}: {} query heads cannot share {} key heads", op, o.heads, o.key_heads);
  const int64_t all = o.heads + 2 * o.key_heads, D = qkv[1] / all;
  check(D > 0 && D * all == qkv[1] && D * o.heads == y_width && lse_heads == o.heads,
        "{}: rows of {} values are not [q | k | v] of {} + 2·{} heads for outputs of {}", op,
        qkv[1], o.heads, o.key_heads, y_width);
  return D;
}

using AttentionForward = void(Stream&, Out y, Out lse, In qkv, In offsets, AttentionOptions);
using AttentionBackward = void(Stream&, Out dqkv, In dy, In qkv, In y, In lse, In offsets,
                               AttentionOptions);
namespace cpu {
LACLIP_CPU_OP(AttentionForward, attention_forward)
LACLIP_CPU_OP(AttentionBackward, attention_backward)
}  // namespace cpu
namespace cuda {
AttentionForward attention_forward;
AttentionBackward attention_backward;
}  // namespace cuda

inline constexpr Op<AttentionForward> attention_forward{
    "attention_forward: y[N C] lse[N H]:f32 <- qkv[N Q] offsets[S]:i32", cpu::attention_forward,
    cuda::attention_forward};
inline constexpr Op<AttentionBackward> attention_backward{
    "attention_backward: dqkv[N Q] <- dy[N C] qkv[N Q] y[N C] lse[N H]:f32 offsets[S]:i32",
    cpu::attention_backward, cuda::attention_backward};

}  // namespace laclip

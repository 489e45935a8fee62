// Attention over cached keys and values: prefill and decoding of LLaMA.
//
// The cache is one pool of T tokens for each layer, keys[T K·D] and values[T K·D]. A sequence owns a
// contiguous range of it; a prefix (the in-context examples) is such a range, shared by all
// sequences that use it. Row n of qkv is one token; it attends to two ranges:
//
//   prefix[n]   tokens prefix_begin[n] .. prefix_begin[n] + prefix_count[n] - 1
//   own         tokens own_begin[n]    .. own_begin[n] + own_count[n] - 1
//
// own_count counts the token itself, whose key and value kv_append has stored before the call; so
// several rows of one sequence (prefill) are causal by their own_count. The softmax runs over the
// union of both ranges: each range gives (max, sum, weighted values), merged by their log-sum-exp.
// Rows of the same prefix should be neighbours: its keys and values are then read once a group. On a GPU
// a head has 256 values at most.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

inline void check_cache_rows(const InOut& keys, In qkv) {
  check(qkv[1] > 2 * keys[1], "kv_append: rows of {} values hold no queries beside keys of {}",
        qkv[1], keys[1]);
}
inline void check_cache_heads(const Out& y, In qkv, In keys, int heads, int key_heads) {
  const int64_t D = y[1] / heads;
  check(heads % key_heads == 0 && D * heads == y[1] && keys[1] == key_heads * D &&
            qkv[1] == (heads + 2 * key_heads) * D,
        "cached_attention_forward: rows of {}, outputs of {} and a cache of {} do not fit {} query "
        "and {} key heads",
        qkv[1], y[1], keys[1], heads, key_heads);
}

using KvAppend = void(Stream&, InOut keys, InOut values, In qkv, In where);
using CachedAttentionForward = void(Stream&, Out y, In qkv, In keys, In values, In prefix_begin,
                                    In prefix_count, In own_begin, In own_count, int heads,
                                    int key_heads);
namespace cpu {
LACLIP_CPU_OP(KvAppend, kv_append)
LACLIP_CPU_OP(CachedAttentionForward, cached_attention_forward)
}  // namespace cpu
namespace cuda {
KvAppend kv_append;
CachedAttentionForward cached_attention_forward;
}  // namespace cuda

// keys[where[n]] = the key heads of row n, values[where[n]] = its value heads.
inline constexpr Op<KvAppend> kv_append{"kv_append: keys[T C] values[T C] <- qkv[N Q] where[N]:i32",
                                        cpu::kv_append, cuda::kv_append};
inline constexpr Op<CachedAttentionForward> cached_attention_forward{
    "cached_attention_forward: y[N C] <- qkv[N Q] keys[T G] values[T G] prefix_begin[N]:i32 "
    "prefix_count[N]:i32 own_begin[N]:i32 own_count[N]:i32",
    cpu::cached_attention_forward, cuda::cached_attention_forward};

}  // namespace laclip

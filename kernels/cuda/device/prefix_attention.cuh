// Attention to shared prefixes, in bf16 on the tensor cores.
//
// A warp has 16 neighbouring rows of a head, and passes over the tokens of each prefix among them, 32 at
// a time, two tiles under way. Rows of another prefix keep what they have, so that a row's bits do not
// depend on whether its neighbours share its prefix. A prefix that all 16 share is read once for them.
#pragma once

#include "kernels/cuda/device/attention_tensor_core.cuh"
#include "kernels/cuda/device/cached_geometry.cuh"

namespace laclip::cuda {

template <int kD>
struct PrefixShared {
  static constexpr int kWarps = 2, kRows = 16, kTokens = 32;
  struct OfWarp {
    HeadTile<kD, kRows> q;
    HeadTile<kD, kTokens> k[2], v[2];
  } warps[kWarps];
};

template <int kD>
__global__ void __launch_bounds__(PrefixShared<kD>::kWarps* kWarpSize, kD <= 64 ? 6 : 3)
    prefix_attention_kernel(PrefixParts parts, const bf16* qkv, const bf16* keys,
                            const bf16* values, CacheRange prefix, CacheGeometry g) {
  constexpr int kRows = PrefixShared<kD>::kRows, kTokens = PrefixShared<kD>::kTokens;
  const int lane = lane_of_thread(), warp = warp_of_thread();
  const int head = int(blockIdx.y) * PrefixShared<kD>::kWarps + warp;
  if (head >= g.heads) return;
  auto& memory = shared<PrefixShared<kD>>().warps[warp];
  const int64_t first = int64_t(blockIdx.x) * kRows;
  const int rows = int(min(g.rows - first, int64_t(kRows)));
  const bool sound = lane < rows && g.has(prefix, first + lane);  // others: kernel of own tokens
  const int begin = sound ? prefix.begin[first + lane] : 0;
  const int count = sound ? prefix.count[first + lane] : 0;

  unsigned open = __ballot_sync(kFullWarp, count > 0);
  if (open != 0)  // they come with the first tokens
    load_tile<kWarpSize>(memory.q, qkv + first * g.row_width() + int64_t(head) * g.D, g.row_width(),
                         rows, g.D);
  const OwnRows<kD, false, kRows> q(memory.q, 0);
  RunningSoftmax softmax;
  float out[kD / 8][4] = {};
  while (open != 0) {
    const int leader = __ffs(int(open)) - 1;
    const int from = __shfl_sync(kFullWarp, begin, leader);
    const int tokens = __shfl_sync(kFullWarp, count, leader);
    const unsigned members = __ballot_sync(kFullWarp, begin == from && count == tokens);
    open &= ~members;
    const bool whole = members == (1u << rows) - 1;
    const auto load_tokens = [&](int token, int buffer) {
      const int64_t at =
          (int64_t(from) + token) * g.token_width() + int64_t(head / g.queries) * g.D;
      load_tile<kWarpSize>(memory.k[buffer], keys + at, g.token_width(), tokens - token, g.D);
      load_tile<kWarpSize>(memory.v[buffer], values + at, g.token_width(), tokens - token, g.D);
      cp_async_commit();
    };
    load_tokens(0, 0);
    for (int token = 0, buffer = 0; token < tokens; token += kTokens, buffer ^= 1) {
      if (token + kTokens < tokens) {
        load_tokens(token + kTokens, buffer ^ 1);
        cp_async_wait<1>();
      } else {
        cp_async_wait<0>();
      }
      __syncwarp();  // the tile is there from all lanes
      float s[kTokens / 8][4], factor[2];
      multiply(s, q, memory.k[buffer], 0);
      if (!whole || token + kTokens > tokens) {
#pragma unroll
        for (int n = 0; n < kTokens / 8; ++n)
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const bool member = members >> (lane / 4 + i / 2 * 8) & 1;
            if (!member || token + n * 8 + lane % 4 * 2 + i % 2 >= tokens) s[n][i] = -INFINITY;
          }
      }
      softmax.update(s, g.scale, factor);
#pragma unroll
      for (int n = 0; n < kD / 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) out[n][i] *= factor[i / 2];
      accumulate<2>(out, s, memory.v[buffer], 0);  // as exact as own tokens
      __syncwarp();                                // all lanes have read the tile
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = lane / 4 + 8 * half;
    const float sum = quad_sum(softmax.sum[half]);
    if (row >= rows) continue;
    const int64_t at = (first + row) * g.heads + head;
    if (lane % 4 == 0) parts.softmax[at] = {softmax.largest[half], sum};
    if (sum == 0) continue;
#pragma unroll
    for (int n = 0; n < kD / 8; ++n)
      if (n * 8 < g.D)
        *reinterpret_cast<PrefixParts::Pair*>(parts.values + at * g.D + n * 8 +
                                              lane % 4 * 2) = {out[n][2 * half],
                                                               out[n][2 * half + 1]};
  }
}

inline void prefix_attention(Stream& stream, const PrefixParts& parts, const bf16* qkv,
                             const bf16* keys, const bf16* values, CacheRange prefix,
                             const CacheGeometry& g) {
  dispatch_head_tile(g.D, [&]<int kD>(std::integral_constant<int, kD>) {
    using Shared = PrefixShared<kD>;
    launch<prefix_attention_kernel<kD>>(stream,
                                        {dim3(unsigned(ceil_div(g.rows, Shared::kRows)),
                                              unsigned(ceil_div(g.heads, Shared::kWarps))),
                                         dim3(Shared::kWarps * kWarpSize), sizeof(Shared)},
                                        parts, qkv, keys, values, prefix, g);
  });
}

}  // namespace laclip::cuda

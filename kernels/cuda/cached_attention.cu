// Attention over cached tokens. In bf16 the tensor cores take the prefix first (prefix_attention.cuh); the
// kernel here takes the row's own tokens, and where there are no tensor cores the prefix, too.
//
// A warp has a row and the query heads of one key head, up to kQueries. It is divided into teams, each of
// which has a token at a time, a lane one or two packs of its key and value, so that whole rows of the
// cache are read at once. Every team keeps a softmax of its own (largest score, sum of weights, weighted
// values); they are merged at the end. Reads each own key and value once.
#include <cmath>

#include "kernels/cuda/device/prefix_attention.cuh"
#include "kernels/ops/kv_cache.h"

namespace laclip::cuda {
namespace {

constexpr int kAttentionThreads = 128, kAtOnce = 4;  // tokens of a team that are under way

// A lane's share of a token: kPacks packs, kTeam packs apart.
template <class T, int kTeam, int kPacks>
struct Share {
  static constexpr int kElements = kPacks * kPackSize<T>;
  static __device__ int first() { return lane_of_thread() % kTeam * kPackSize<T>; }
  // Calls body(element, d) for all elements of a share.
  template <class Body>
  static __device__ void for_each(Body&& body) {
#pragma unroll
    for (int p = 0; p < kPacks; ++p)
#pragma unroll
      for (int e = 0; e < kPackSize<T>; ++e)
        body(p * kPackSize<T> + e, first() + p * kTeam * kPackSize<T> + e);
  }
  // Of a row of `width` values; zeros beyond them.
  template <bool kAligned>
  static __device__ void load(T (&to)[kElements], const T* row, int width) {
    if constexpr (kAligned) {
#pragma unroll
      for (int p = 0; p < kPacks; ++p) {
        const int d = first() + p * kTeam * kPackSize<T>;
        Pack<T> pack{};
        if (d < width) pack = load16(row + d);
#pragma unroll
        for (int e = 0; e < kPackSize<T>; ++e) to[p * kPackSize<T> + e] = pack[e];
      }
    } else {
      for_each([&](int e, int d) { to[e] = d < width ? row[d] : T(0.0f); });
    }
  }
  template <bool kAligned>
  static __device__ void put(T* row, const float (&values)[kElements], float factor, int width) {
    if constexpr (kAligned) {
#pragma unroll
      for (int p = 0; p < kPacks; ++p) {
        const int d = first() + p * kTeam * kPackSize<T>;
        Pack<T> pack;
#pragma unroll
        for (int e = 0; e < kPackSize<T>; ++e)
          store(pack[e], values[p * kPackSize<T> + e] * factor);
        if (d < width) store16(row + d, pack);
      }
    } else {
      for_each([&](int e, int d) {
        if (d < width) store(row[d], values[e] * factor);
      });
    }
  }
};

template <int kQueries, int kElements>
struct TokenSoftmax {
  float largest[kQueries], sum[kQueries], values[kQueries][kElements];
};

// Takes `count` tokens, `stride` elements apart, into the softmax.
template <bool kAligned, class OfToken, class T, int kQueries, int kElements>
__device__ void attend(TokenSoftmax<kQueries, kElements>& state,
                       const float (&query)[kQueries][kElements], int team, int teams,
                       const T* keys, const T* values, int64_t stride, int count, int D) {
  for (int begin = 0; begin < count; begin += teams * kAtOnce) {
    T key[kAtOnce][kElements], value[kAtOnce][kElements];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int token = begin + i * teams + team, width = token < count ? D : 0;
      OfToken::template load<kAligned>(key[i], keys + token * stride, width);
      OfToken::template load<kAligned>(value[i], values + token * stride, width);
    }
#pragma unroll
    for (int q = 0; q < kQueries; ++q) {
      float weight[kAtOnce], largest = state.largest[q];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        float score = 0;
#pragma unroll
        for (int e = 0; e < kElements; ++e) score = fmaf(query[q][e], float(key[i][e]), score);
        for (int bits = kWarpSize / teams / 2; bits > 0; bits /= 2)
          score += __shfl_xor_sync(kFullWarp, score, bits);
        weight[i] = begin + i * teams + team < count ? score : -INFINITY;
        largest = fmaxf(largest, weight[i]);
      }
      const float factor = exp2f(state.largest[q] - largest);
      state.largest[q] = largest;
      state.sum[q] *= factor;
#pragma unroll
      for (int e = 0; e < kElements; ++e) state.values[q][e] *= factor;
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        weight[i] = exp2f(weight[i] - largest);
        state.sum[q] += weight[i];
#pragma unroll
        for (int e = 0; e < kElements; ++e)
          state.values[q][e] = fmaf(weight[i], float(value[i][e]), state.values[q][e]);
      }
    }
  }
}

// All teams' softmax in every lane.
template <int kQueries, int kElements>
__device__ void merge_teams(TokenSoftmax<kQueries, kElements>& state, int team_size) {
#pragma unroll
  for (int q = 0; q < kQueries; ++q) {
    float largest = state.largest[q];
    for (int bits = team_size; bits < kWarpSize; bits *= 2)
      largest = fmaxf(largest, __shfl_xor_sync(kFullWarp, largest, bits));
    const float factor = exp2f(state.largest[q] - largest);
    const auto merged = [&](float value) {
      value *= factor;
      for (int bits = team_size; bits < kWarpSize; bits *= 2)
        value += __shfl_xor_sync(kFullWarp, value, bits);
      return value;
    };
    state.sum[q] = merged(state.sum[q]);
#pragma unroll
    for (int e = 0; e < kElements; ++e) state.values[q][e] = merged(state.values[q][e]);
  }
}

template <class T, int kTeam, int kPacks, int kQueries, bool kAligned>
__global__ void __launch_bounds__(kAttentionThreads, kQueries == 1 ? 4 : 2)
    cached_attention_kernel(T* y, const T* qkv, const T* keys, const T* values, CacheRange prefix,
                            CacheRange own, PrefixParts parts, CacheGeometry g, FaultSink fault) {
  using OfToken = Share<T, kTeam, kPacks>;
  constexpr int kTeams = kWarpSize / kTeam;
  const int chunks = (g.queries + kQueries - 1) / kQueries;  // of a key head's queries
  const int groups = g.heads / g.queries * chunks;
  const int64_t item = grid_index() / kWarpSize, n = item / groups;
  if (n >= g.rows) return;
  const int group = int(item - n * groups), key_head = group / chunks;
  const int first_query = group % chunks * kQueries,
            queries = min(kQueries, g.queries - first_query);
  const int head = key_head * g.queries + first_query;
  const int lane = lane_of_thread(), team = lane / kTeam;
  if (!(g.has(prefix, n) && g.has(own, n))) {
    if (lane == 0 && group == 0)
      report(fault, KernelFault::id_outside, n, own.begin[n] + own.count[n] - 1, g.tokens);
    return;
  }

  float query[kQueries][OfToken::kElements];
  TokenSoftmax<kQueries, OfToken::kElements> state;
#pragma unroll
  for (int q = 0; q < kQueries; ++q) {
    const int64_t at = n * g.heads + head + q;
    const bool there = q < queries;
    T row[OfToken::kElements];
    OfToken::template load<kAligned>(row, qkv + n * g.row_width() + int64_t(head + q) * g.D,
                                     there ? g.D : 0);
    PrefixParts::Softmax part{kLeastScore, 0};
    if (there && team == 0 && parts.softmax) part = parts.softmax[at];
    state.largest[q] = part.largest;
    state.sum[q] = part.sum;
    OfToken::for_each([&](int e, int d) {
      query[q][e] = float(row[e]) * g.scale;
      state.values[q][e] = part.sum > 0 && d < g.D ? parts.values[at * g.D + d] : 0.0f;
    });
  }
  const int64_t stride = g.token_width(), column = int64_t(key_head) * g.D;
  const auto attend_to = [&](CacheRange range) {
    const int64_t at = range.begin[n] * stride + column;
    attend<kAligned, OfToken>(state, query, team, kTeams, keys + at, values + at, stride,
                              range.count[n], g.D);
  };
  if (!parts.softmax) attend_to(prefix);
  attend_to(own);
  merge_teams(state, kTeam);
#pragma unroll
  for (int q = 0; q < kQueries; ++q)
    if (q < queries && team == 0)
      OfToken::template put<kAligned>(y + (n * g.heads + head + q) * g.D, state.values[q],
                                      1.0f / state.sum[q], g.D);
}

// Calls body<kTeam, kPacks>() with the smallest team that has a token of D values.
template <class T, class Body>
void dispatch_team(int D, Body&& body) {
  const int packs = (D + kPackSize<T> - 1) / kPackSize<T>;
  if (packs <= 4) return body.template operator()<4, 1>();
  if (packs <= 8) return body.template operator()<8, 1>();
  if (packs <= 16) return body.template operator()<16, 1>();
  if (packs <= 32) return body.template operator()<32, 1>();
  if constexpr (sizeof(T) == 4) body.template operator()<32, 2>();
}

}  // namespace

void cached_attention_forward(Stream& stream, Out y, In qkv, In keys, In values, In prefix_begin,
                              In prefix_count, In own_begin, In own_count, int heads,
                              int key_heads) {
  const int64_t N = qkv[0], D = y[1] / heads;
  check_cache_heads(y, qkv, keys, heads, key_heads);
  check(D <= 256, "cached_attention_forward: heads of {}; at most 256 are possible on a GPU", D);
  if (N == 0) return;
  const CacheRange prefix{prefix_begin.as<int32_t>(), prefix_count.as<int32_t>()};
  const CacheRange own{own_begin.as<int32_t>(), own_count.as<int32_t>()};
  const CacheGeometry g{N, keys[0], int(D), heads, heads / key_heads, kLog2e / std::sqrt(float(D))};
  dispatch_float(qkv.dtype, [&]<class T>(TypeTag<T>) {
    const T *k = keys.as<T>(), *v = values.as<T>(), *rows = qkv.as<T>();
    PrefixParts parts;
    if constexpr (sizeof(T) == 2)
      if (D <= 128 && packs<T>(D, k, v, rows)) {
        const int64_t count = N * heads;
        float* memory = stream.scratch().reserve<float>(count * (2 + D));
        parts = {reinterpret_cast<PrefixParts::Softmax*>(memory), memory + 2 * count};
        prefix_attention(stream, parts, rows, k, v, prefix, g);
      }
    const auto run = [&]<int kTeam, int kPacks, int kQueries, bool kAligned>() {
      const int64_t warps = N * key_heads * ceil_div(g.queries, kQueries);
      launch<cached_attention_kernel<T, kTeam, kPacks, kQueries, kAligned>>(
          stream,
          {dim3(unsigned(ceil_div(warps * kWarpSize, kAttentionThreads))), dim3(kAttentionThreads)},
          y.as<T>(), rows, k, v, prefix, own, parts, g, stream.fault());
    };
    dispatch_team<T>(int(D), [&]<int kTeam, int kPacks>() {
      const auto with_queries = [&]<int kQueries>() {
        packs<T>(D, k, v, rows, y.as<T>())
            ? run.template operator()<kTeam, kPacks, kQueries, true>()
            : run.template operator()<kTeam, kPacks, kQueries, false>();
      };
      g.queries == 1 ? with_queries.template operator()<1>()
                     : with_queries.template operator()<4>();
    });
  });
}

}  // namespace laclip::cuda

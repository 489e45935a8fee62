#include "kernels/ops/kv_cache.h"

#include <algorithm>
#include <cmath>

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

// A unit is a pack of 16 bytes, or one element where rows are not aligned. Reads and writes each
// key and value once.
template <class Unit>
__global__ void append_kernel(Unit* keys, Unit* values, const Unit* qkv, const int32_t* where,
                              int64_t N, int64_t T, int64_t width, int64_t row, FaultSink fault) {
  for (int64_t i = grid_index(); i < N * width; i += grid_stride()) {
    const int64_t n = i / width, column = i - n * width;
    const int64_t place = where[n];
    if (place < 0 || place >= T) {
      if (column == 0) report(fault, KernelFault::id_outside, n, place, T);
      continue;
    }
    const Unit* key = qkv + (n + 1) * row - 2 * width + column;
    keys[place * width + column] = key[0];
    values[place * width + column] = key[width];
  }
}

// ---- attention: a block has eight neighbouring rows, a warp each, and the query heads of one key
// head (up to kQueries of them). If the rows share their prefix, its keys and values come into
// shared memory, 32 tokens at a time, and are read from device memory once for the eight rows.
// Own tokens are read by their warp. Per token and key head a block reads 2 D elements.
//
// The softmax is online: m is the largest score so far, l the sum of exp(s - m), acc the weighted
// values; a lane has a token for the scores, and every 32nd dimension for the values.

constexpr int kRows = 8, kTokens = kWarpSize;

struct CacheRange {
  const int32_t *begin, *count;
};

template <int kQueries, int kDims>
struct Online {
  float m[kQueries], l[kQueries], acc[kQueries][kDims];
};

// Shared memory of a block: queries[row][query][D] in fp32, weights[row][query][token] in fp32, then
// keys and values [token][D] of the prefix.
template <class T, int kQueries>
struct CacheShared {
  float *queries, *weights;
  T *keys, *values;

  __device__ CacheShared(void* memory, int D) {
    queries = static_cast<float*>(memory) + warp_of_thread() * kQueries * D;
    weights =
        static_cast<float*>(memory) + kRows * kQueries * D + warp_of_thread() * kQueries * kTokens;
    keys = reinterpret_cast<T*>(static_cast<float*>(memory) + kRows * kQueries * (D + kTokens));
    values = keys + kTokens * D;
  }
  static int64_t bytes(int64_t D) {
    return 4 * kRows * kQueries * (D + kTokens) + 2 * kTokens * D * int64_t(sizeof(T));
  }
};

// Takes `count` <= 32 tokens into the softmax. Keys and values lie `stride` elements apart.
template <bool kAligned, class T, int kQueries, int kDims>
__device__ void attend(Online<kQueries, kDims>& state, const CacheShared<T, kQueries>& s,
                       const T* keys, const T* values, int64_t stride, int count, int D) {
  const int lane = lane_of_thread();
  float score[kQueries] = {};
  if (lane < count) {
    const T* key = keys + lane * stride;
    if constexpr (kAligned) {
      for (int d = 0; d < D; d += kPackSize<T>) {
        const Pack<T> pack = load16(key + d);
#pragma unroll
        for (int k = 0; k < kPackSize<T>; ++k)
#pragma unroll
          for (int q = 0; q < kQueries; ++q) score[q] += s.queries[q * D + d + k] * float(pack[k]);
      }
    } else {
      for (int d = 0; d < D; ++d)
#pragma unroll
        for (int q = 0; q < kQueries; ++q) score[q] += s.queries[q * D + d] * float(key[d]);
    }
  }
#pragma unroll
  for (int q = 0; q < kQueries; ++q) {
    const float largest = fmaxf(state.m[q], warp_max(lane < count ? score[q] : -INFINITY));
    const float weight = lane < count ? expf(score[q] - largest) : 0.0f;
    const float shrink = expf(state.m[q] - largest);  // 0 at the first tokens
    state.m[q] = largest;
    state.l[q] = state.l[q] * shrink + warp_sum(weight);
    s.weights[q * kTokens + lane] = weight;
#pragma unroll
    for (int i = 0; i < kDims; ++i) state.acc[q][i] *= shrink;
  }
  __syncwarp();  // all weights are there
  for (int t = 0; t < count; ++t)
#pragma unroll
    for (int i = 0; i < kDims; ++i) {
      const int d = lane + i * kWarpSize;
      const float value = d < D ? float(values[t * stride + d]) : 0.0f;
#pragma unroll
      for (int q = 0; q < kQueries; ++q) state.acc[q][i] += s.weights[q * kTokens + t] * value;
    }
  __syncwarp();  // the weights are used
}

// Tokens begin.. of the prefix into shared memory, by the whole block; zeros beyond `count`.
template <class T>
__device__ void stage_tokens(T* to, const T* from, int64_t stride, int count, int D) {
  for (int i = int(threadIdx.x); i < kTokens * D; i += int(blockDim.x)) {
    const int t = i / D, d = i - t * D;
    to[i] = t < count ? from[t * stride + d] : T(0.0f);
  }
}

__device__ inline bool is_inside(CacheRange range, int64_t n, int64_t T) {
  return range.begin[n] >= 0 && range.count[n] >= 0 &&
         int64_t(range.begin[n]) + range.count[n] <= T;
}

struct CacheShape {
  int64_t rows, tokens;              // N, T
  int D, heads, key_heads, queries;  // queries: of a key head
  float scale;
};

template <class T, int kQueries, int kDims, bool kAligned>
__global__ void __launch_bounds__(kRows* kWarpSize, 1)
    cached_attention_kernel(T* y, const T* qkv, const T* keys, const T* values, CacheRange prefix,
                            CacheRange own, CacheShape shape, int64_t bytes_of_block,
                            FaultSink fault) {
  const CacheShared<T, kQueries> s(shared_bytes(bytes_of_block), shape.D);
  const int D = shape.D, lane = lane_of_thread();
  const int chunks = (shape.queries + kQueries - 1) / kQueries;  // of a key head's queries
  const int key_head = int(blockIdx.y) / chunks, first_query = int(blockIdx.y) % chunks * kQueries;
  const int queries = min(kQueries, shape.queries - first_query);
  const int64_t stride = int64_t(shape.key_heads) * D,
                row = (shape.heads + 2 * shape.key_heads) * int64_t(D);
  const int64_t first = int64_t(blockIdx.x) * kRows, n = first + warp_of_thread();
  const int head = key_head * shape.queries + first_query;

  bool sound = n < shape.rows;
  if (sound && !(is_inside(prefix, n, shape.tokens) && is_inside(own, n, shape.tokens))) {
    sound = false;
    if (lane == 0 && blockIdx.y == 0)
      report(fault, KernelFault::id_outside, n, own.begin[n] + own.count[n] - 1, shape.tokens);
  }
  Online<kQueries, kDims> state;
#pragma unroll
  for (int q = 0; q < kQueries; ++q) {
    state.m[q] = -INFINITY;
    state.l[q] = 0;
#pragma unroll
    for (int i = 0; i < kDims; ++i) state.acc[q][i] = 0;
  }
  for (int i = lane; i < kQueries * D; i += kWarpSize) {
    const int q = i / D;
    s.queries[i] =
        sound && q < queries ? float(qkv[n * row + int64_t(head) * D + i]) * shape.scale : 0.0f;
  }
  __syncwarp();  // the warp's queries are there

  const T *key = keys + int64_t(key_head) * D, *value = values + int64_t(key_head) * D;
  bool alike = is_inside(prefix, first, shape.tokens);
  for (int64_t other = first + 1; other < min(first + kRows, shape.rows); ++other)
    alike = alike && prefix.begin[other] == prefix.begin[first] &&
            prefix.count[other] == prefix.count[first];
  if (alike) {
    for (int begin = 0; begin < prefix.count[first]; begin += kTokens) {
      const int count = min(kTokens, prefix.count[first] - begin);
      const int64_t at = (prefix.begin[first] + begin) * stride;
      stage_tokens(s.keys, key + at, stride, count, D);
      stage_tokens(s.values, value + at, stride, count, D);
      __syncthreads();  // the tokens are there
      if (sound) attend<kAligned>(state, s, s.keys, s.values, D, count, D);
      __syncthreads();  // all have used them
    }
  } else if (sound) {
    for (int begin = 0; begin < prefix.count[n]; begin += kTokens) {
      const int64_t at = (prefix.begin[n] + begin) * stride;
      attend<kAligned>(state, s, key + at, value + at, stride,
                       min(kTokens, prefix.count[n] - begin), D);
    }
  }
  if (!sound) return;
  for (int begin = 0; begin < own.count[n]; begin += kTokens) {
    const int64_t at = (own.begin[n] + begin) * stride;
    attend<kAligned>(state, s, key + at, value + at, stride, min(kTokens, own.count[n] - begin), D);
  }
#pragma unroll
  for (int q = 0; q < kQueries; ++q)
#pragma unroll
    for (int i = 0; i < kDims; ++i) {
      const int d = lane + i * kWarpSize;
      if (q < queries && d < D)
        store(y[(n * shape.heads + head + q) * D + d], state.acc[q][i] / state.l[q]);
    }
}

template <class T, int kQueries, int kDims>
void launch_attention(Stream& stream, T* y, const T* qkv, const T* keys, const T* values,
                      CacheRange prefix, CacheRange own, const CacheShape& shape) {
  const int64_t bytes = CacheShared<T, kQueries>::bytes(shape.D);
  const Grid grid{dim3(unsigned(ceil_div(shape.rows, kRows)),
                       unsigned(shape.key_heads * ceil_div(shape.queries, kQueries))),
                  dim3(kRows * kWarpSize), bytes};
  if (packs<T>(shape.D, keys))
    launch<cached_attention_kernel<T, kQueries, kDims, true>>(stream, grid, y, qkv, keys, values,
                                                              prefix, own, shape, bytes,
                                                              stream.fault());
  else
    launch<cached_attention_kernel<T, kQueries, kDims, false>>(stream, grid, y, qkv, keys, values,
                                                               prefix, own, shape, bytes,
                                                               stream.fault());
}

}  // namespace

void kv_append(Stream& stream, InOut keys, InOut values, In qkv, In where) {
  const int64_t N = qkv[0], T = keys[0], width = keys[1], row = qkv[1];
  check(row > 2 * width, "kv_append: rows of {} values hold no queries beside keys of {}", row,
        width);
  if (N == 0) return;
  dispatch_float(keys.dtype, [&]<class X>(TypeTag<X>) {
    constexpr int64_t kSize = kPackSize<X>;
    X *to_keys = keys.as<X>(), *to_values = values.as<X>();
    const X* from = qkv.as<X>();
    if (row % kSize == 0 && packs<X>(width, to_keys, to_values, from))
      launch<append_kernel<Pack<X>>>(stream, grid_of(N * width / kSize),
                                     reinterpret_cast<Pack<X>*>(to_keys),
                                     reinterpret_cast<Pack<X>*>(to_values),
                                     reinterpret_cast<const Pack<X>*>(from), where.as<int32_t>(), N,
                                     T, width / kSize, row / kSize, stream.fault());
    else
      launch<append_kernel<X>>(stream, grid_of(N * width), to_keys, to_values, from,
                               where.as<int32_t>(), N, T, width, row, stream.fault());
  });
}

void cached_attention_forward(Stream& stream, Out y, In qkv, In keys, In values, In prefix_begin,
                              In prefix_count, In own_begin, In own_count, int heads,
                              int key_heads) {
  const int64_t N = qkv[0], D = y[1] / heads;
  check(heads % key_heads == 0 && D * heads == y[1] && keys[1] == key_heads * D &&
            qkv[1] == (heads + 2 * key_heads) * D,
        "cached_attention_forward: rows of {}, outputs of {} and a cache of {} do not fit {} query "
        "and {} key heads",
        qkv[1], y[1], keys[1], heads, key_heads);
  check(D <= 256, "cached_attention_forward: heads of {}; at most 256 are possible on a GPU", D);
  if (N == 0) return;
  const CacheRange prefix{prefix_begin.as<int32_t>(), prefix_count.as<int32_t>()};
  const CacheRange own{own_begin.as<int32_t>(), own_count.as<int32_t>()};
  const CacheShape shape{
      N, keys[0], int(D), heads, key_heads, heads / key_heads, 1.0f / std::sqrt(float(D))};
  dispatch_float(qkv.dtype, [&]<class T>(TypeTag<T>) {
    const auto run = [&]<int kQueries, int kDims>() {
      launch_attention<T, kQueries, kDims>(stream, y.as<T>(), qkv.as<T>(), keys.as<T>(),
                                           values.as<T>(), prefix, own, shape);
    };
    const auto with_dims = [&]<int kQueries>() {
      if (D <= 32) return run.template operator()<kQueries, 1>();
      if (D <= 64) return run.template operator()<kQueries, 2>();
      if (D <= 128) return run.template operator()<kQueries, 4>();
      run.template operator()<kQueries, 8>();
    };
    if (shape.queries == 1) return with_dims.template operator()<1>();
    if (shape.queries <= 4) return with_dims.template operator()<4>();
    with_dims.template operator()<8>();
  });
}

}  // namespace laclip::cuda

#include "kernels/ops/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "kernels/cpu/tile.h"
#include "kernels/cpu/vector_math.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void kv_append(Stream&, InOut keys, InOut values, In qkv, In where) {
  const int64_t N = qkv[0], T = keys[0];
  const auto bytes = size_t(keys[1] * size_of(keys.dtype));
  const auto row = size_t(qkv[1] * size_of(qkv.dtype));
  check_cache_rows(keys, qkv);
  const auto* in = static_cast<const std::byte*>(qkv.tensor().data);
  for (int64_t n = 0; n < N; ++n) {
    const int32_t place = where.as<int32_t>()[n];
    check(place >= 0 && place < T, "kv_append: place {} of row {} is outside 0..{}", place, n,
          T - 1);
    const std::byte* key = in + size_t(n + 1) * row - 2 * bytes;
    std::memcpy(static_cast<std::byte*>(keys.data) + size_t(place) * bytes, key, bytes);
    std::memcpy(static_cast<std::byte*>(values.data) + size_t(place) * bytes, key + bytes, bytes);
  }
}

namespace {

constexpr int64_t kGroupRows = 32;  // rows that share one reading of their prefix

struct Range {
  const int32_t *begin, *count;
};

void check_range(const char* what, Range range, int64_t N, int64_t T) {
  for (int64_t n = 0; n < N; ++n)
    check(range.begin[n] >= 0 && range.count[n] >= 0 &&
              int64_t(range.begin[n]) + range.count[n] <= T,
          "cached_attention_forward: row {} reads {} tokens {}..{} of a cache of {}", n, what,
          range.begin[n], int64_t(range.begin[n]) + range.count[n], T);
}

template <class X>
float dot(const float* a, const X* b, int64_t D) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t d = 0; d < D; ++d) sum += a[d] * float(b[d]);
  return sum;
}

}  // namespace

void cached_attention_forward(Stream& stream, Out y, In qkv, In keys, In values, In prefix_begin,
                              In prefix_count, In own_begin, In own_count, int heads,
                              int key_heads) {
  const int64_t N = qkv[0], T = keys[0], D = y[1] / heads, group = heads / key_heads;
  check_cache_heads(y, qkv, keys, heads, key_heads);
  const Range prefix{prefix_begin.as<int32_t>(), prefix_count.as<int32_t>()};
  const Range own{own_begin.as<int32_t>(), own_count.as<int32_t>()};
  check_range("prefix", prefix, N, T);
  check_range("own", own, N, T);

  // Neighbouring rows of the same prefix form a group.
  std::vector<int64_t>& starts = [&]() -> std::vector<int64_t>& {
    thread_local std::vector<int64_t> list;
    list.clear();
    return list;
  }();
  int64_t longest_prefix = 1, longest = 1;
  for (int64_t n = 0; n < N; ++n) {
    const bool joins = n > 0 && n - starts.back() < kGroupRows &&
                       prefix.begin[n] == prefix.begin[n - 1] &&
                       prefix.count[n] == prefix.count[n - 1];
    if (!joins) starts.push_back(n);
    longest_prefix = std::max<int64_t>(longest_prefix, prefix.count[n]);
    longest = std::max<int64_t>(longest, own.count[n]);
  }
  starts.push_back(N);

  const int64_t Dp = padded(D), wide = padded(longest_prefix) + longest;
  const int64_t each = padded(longest_prefix) * (D + Dp) + kGroupRows * (D + wide + Dp);
  float* memory = stream.scratch().reserve<float>(each * thread_count());
  const int64_t groups = int64_t(starts.size()) - 1;
  const int64_t* start = starts.data();
  const float scale = 1.0f / std::sqrt(float(D));

  dispatch_float(qkv.dtype, [&]<class X>(TypeTag<X>) {
    parallel_for(groups * key_heads, [&](int64_t task) {
      const int64_t g = task / key_heads, key_head = task % key_heads;
      const int64_t first = start[g], count = start[g + 1] - first;
      const int64_t P = prefix.count[first], Pp = padded(P), stride = keys[1];
      const X* key = keys.as<X>() + key_head * D;
      const X* value = values.as<X>() + key_head * D;
      float* keys_t = memory + thread_index() * each;
      float* prefix_values = keys_t + D * padded(longest_prefix);
      float* q = prefix_values + padded(longest_prefix) * Dp;
      float* p = q + kGroupRows * D;
      float* out = p + kGroupRows * wide;
      if (P > 0) {
        copy_head_transposed(keys_t, key + prefix.begin[first] * stride, stride, P, D);
        copy_head(prefix_values, Dp, value + prefix.begin[first] * stride, stride, P, D);
      }
      for (int64_t h = key_head * group; h < (key_head + 1) * group; ++h) {
        for (int64_t i = 0; i < count; ++i)
          for (int64_t d = 0; d < D; ++d)
            q[i * D + d] = float(qkv.as<X>()[(first + i) * qkv[1] + h * D + d]) * scale;
        product(p, wide, {q, D, 1}, keys_t, Pp, count, Pp, D);
        for (int64_t i = 0; i < count; ++i) {
          // Scores of the own tokens stand behind those of the prefix; one softmax over both.
          const int64_t n = first + i, own_tokens = own.count[n], all = P + own_tokens;
          float* row = p + i * wide;
          for (int64_t t = 0; t < own_tokens; ++t)
            row[P + t] = dot(q + i * D, key + (own.begin[n] + t) * stride, D);
          float largest = -std::numeric_limits<float>::infinity();
          for (int64_t t = 0; t < all; ++t) largest = std::max(largest, row[t]);
          float sum = 0;
#pragma omp simd reduction(+ : sum)
          for (int64_t t = 0; t < all; ++t) sum += row[t] = fast_exp(row[t] - largest);
          const float inverse = 1.0f / sum;
          for (int64_t t = 0; t < all; ++t) row[t] *= inverse;
        }
        product(out, Dp, {p, wide, 1}, prefix_values, Dp, count, Dp, P);
        for (int64_t i = 0; i < count; ++i) {
          const int64_t n = first + i;
          float* sum = out + i * Dp;
          for (int64_t t = 0; t < own.count[n]; ++t) {
            const X* v = value + (own.begin[n] + t) * stride;
            const float weight = p[i * wide + P + t];
#pragma omp simd
            for (int64_t d = 0; d < D; ++d) sum[d] += weight * float(v[d]);
          }
          for (int64_t d = 0; d < D; ++d) y.as<X>()[n * y[1] + h * D + d] = X(sum[d]);
        }
      }
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

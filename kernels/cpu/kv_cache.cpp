#include "kernels/ops/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/parallel.h"
#include "kernels/cpu/vector.h"
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

// Queries of one key head that are computed together, so that keys and values are read once for all of them.
constexpr int64_t kQueries = 4;

// scores[q][t] = Σ_d queries[q][d] keys[t][d]: a vector of sums over d, whose lanes are added at the end. The bits
// of a score do not depend on what else is computed.
template <int Q, class X>
void score(float* scores, int64_t scores_row, const float* queries, int64_t queries_row,
           const X* keys, int64_t keys_row, int64_t tokens, int64_t D) {
  const int64_t whole = D / kLanes * kLanes;
  const auto of_tokens = [&]<int R, int T>(int q, int64_t t) {  // R queries from q, T tokens from t
    Floats sums[R][T] = {};
    const X* key = keys + t * keys_row;
    const auto add = [&](int64_t d, auto&& load) {
      Floats k[T];
      for (int i = 0; i < T; ++i) k[i] = load(key + i * keys_row + d);
      for (int r = 0; r < R; ++r) {
        const Floats left = load_floats(queries + (q + r) * queries_row + d);
        for (int i = 0; i < T; ++i) sums[r][i] += left * k[i];
      }
    };
    for (int64_t d = 0; d < whole; d += kLanes)
      add(d, [](const X* from) { return load_floats(from); });
    if (whole < D) add(whole, [&](const X* from) { return load_part(from, D - whole); });
    for (int r = 0; r < R; ++r) {
      float* to = scores + (q + r) * scores_row + t;
      if constexpr (T == 4) {
        const Four four = sums_of_lanes(sums[r]);
        std::memcpy(to, &four, sizeof four);
      } else {
        *to = sum_of_lanes(sums[r][0]);
      }
    }
  };
  constexpr int kMost = kVectorBytes == 64 ? 4 : 2;  // times four tokens: what the registers hold
  constexpr int kChains = Q < kMost ? Q : kMost;
  int64_t t = 0;
  for (; t + 4 <= tokens; t += 4) {
    int q = 0;
    for (; q + kChains <= Q; q += kChains) of_tokens.template operator()<kChains, 4>(q, t);
    for (; q < Q; ++q) of_tokens.template operator()<1, 4>(q, t);
  }
  for (; t < tokens; ++t)
    for (int q = 0; q < Q; ++q) of_tokens.template operator()<1, 1>(q, t);
}

// sums[q][d] += Σ_t weights[q][t] values[t][d], in the order of t.
template <int Q, class X>
void add_values(float* sums, int64_t sums_row, const float* weights, int64_t weights_row,
                const X* values, int64_t values_row, int64_t tokens, int64_t D) {
  const auto columns = [&]<int V>(int64_t d, auto&& load) {
    Floats s[Q][V];
    for (int q = 0; q < Q; ++q)
      for (int v = 0; v < V; ++v) s[q][v] = load_floats(sums + q * sums_row + d + v * kLanes);
    for (int64_t t = 0; t < tokens; ++t) {
      Floats value[V];
      for (int v = 0; v < V; ++v) value[v] = load(values + t * values_row + d + v * kLanes);
      for (int q = 0; q < Q; ++q)
        for (int v = 0; v < V; ++v) s[q][v] += weights[q * weights_row + t] * value[v];
    }
    for (int q = 0; q < Q; ++q)
      for (int v = 0; v < V; ++v) store_floats(sums + q * sums_row + d + v * kLanes, s[q][v]);
  };
  const auto whole = [](const X* from) { return load_floats(from); };
  int64_t d = 0;
  for (; d + 2 * kLanes <= D; d += 2 * kLanes) columns.template operator()<2>(d, whole);
  for (; d + kLanes <= D; d += kLanes) columns.template operator()<1>(d, whole);
  if (d < D)
    columns.template operator()<1>(d, [&](const X* from) { return load_part(from, D - d); });
}

// Calls body<Q>() for Q queries.
template <class Body>
void with_queries(int64_t count, Body&& body) {
  static_assert(kQueries == 4);
  if (count == 4) return body.template operator()<4>();
  if (count == 3) return body.template operator()<3>();
  if (count == 2) return body.template operator()<2>();
  body.template operator()<1>();
}

void softmax(float* row, int64_t count) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (int64_t t = 0; t < count; ++t) largest = std::max(largest, row[t]);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t t = 0; t < count; ++t) sum += row[t] = fast_exp(row[t] - largest);
  const float inverse = 1.0f / sum;
  for (int64_t t = 0; t < count; ++t) row[t] *= inverse;
}

// A query: a row's head.
struct Query {
  int64_t row, head;
};

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
  int64_t longest = 1;
  for (int64_t n = 0; n < N; ++n)
    longest = std::max<int64_t>(longest, int64_t(prefix.count[n]) + own.count[n]);

  // Rows of whole vectors: a loop's order must not depend on where its row begins.
  const auto padded = [](int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; };
  const int64_t Dp = padded(D), wide = padded(longest), stride = keys[1];
  const int64_t each = kQueries * (2 * Dp + wide);
  float* memory = stream.scratch().reserve<float>(each * thread_count());
  const float scale = 1.0f / std::sqrt(float(D));

  dispatch_float(qkv.dtype, [&]<class X>(TypeTag<X>) {
    // Queries of one prefix, whose scores of it are computed together.
    const auto attend = [&](const Query* queries, int64_t count, int64_t key_head) {
      const X *key = keys.as<X>() + key_head * D, *value = values.as<X>() + key_head * D;
      float* q = memory + thread_index() * each;
      float *out = q + kQueries * Dp, *p = out + kQueries * Dp;
      std::fill(q, p, 0.0f);
      for (int64_t i = 0; i < count; ++i) {
        const X* in = qkv.as<X>() + queries[i].row * qkv[1] + queries[i].head * D;
        for (int64_t d = 0; d < D; ++d) q[i * Dp + d] = float(in[d]) * scale;
      }
      const int64_t P = prefix.count[queries[0].row];
      const int64_t begin = prefix.begin[queries[0].row] * stride;
      with_queries(count, [&]<int Q>() { score<Q>(p, wide, q, Dp, key + begin, stride, P, D); });
      // Scores of the own tokens stand after those of the prefix; one softmax over both. The heads of a row
      // share its tokens.
      for (int64_t i = 0, together; i < count; i += together) {
        const int64_t row = queries[i].row, tokens = own.count[row];
        for (together = 1; i + together < count && queries[i + together].row == row;) ++together;
        const X* own_keys = key + own.begin[row] * stride;
        with_queries(together, [&]<int Q>() {
          score<Q>(p + i * wide + P, wide, q + i * Dp, Dp, own_keys, stride, tokens, D);
        });
        for (int64_t j = i; j < i + together; ++j) softmax(p + j * wide, P + tokens);
      }
      with_queries(count,
                   [&]<int Q>() { add_values<Q>(out, Dp, p, wide, value + begin, stride, P, D); });
      for (int64_t i = 0, together; i < count; i += together) {
        const int64_t row = queries[i].row;
        for (together = 1; i + together < count && queries[i + together].row == row;) ++together;
        const X* own_values = value + own.begin[row] * stride;
        with_queries(together, [&]<int Q>() {
          add_values<Q>(out + i * Dp, Dp, p + i * wide + P, wide, own_values, stride,
                        own.count[row], D);
        });
      }
      for (int64_t i = 0; i < count; ++i) {
        X* to = y.as<X>() + queries[i].row * y[1] + queries[i].head * D;
        for (int64_t d = 0; d < D; ++d) store(to[d], out[i * Dp + d]);
      }
    };
    constexpr int64_t kRowsOfTask = 8;
    parallel_for((N + kRowsOfTask - 1) / kRowsOfTask * key_heads, [&](int64_t task) {
      const int64_t key_head = task % key_heads, first = task / key_heads * kRowsOfTask;
      Query queries[kQueries];
      int64_t count = 0;
      for (int64_t n = first; n < std::min(N, first + kRowsOfTask); ++n) {
        const bool same = count == 0 || (prefix.begin[n] == prefix.begin[queries[0].row] &&
                                         prefix.count[n] == prefix.count[queries[0].row]);
        if (!same) attend(queries, std::exchange(count, 0), key_head);
        for (int64_t h = key_head * group; h < (key_head + 1) * group; ++h) {
          queries[count++] = {n, h};
          if (count == kQueries) attend(queries, std::exchange(count, 0), key_head);
        }
      }
      if (count > 0) attend(queries, count, key_head);
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

#include "kernels/ops/attention.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/cpu/tile.h"
#include "kernels/cpu/vector_math.h"

// One task is a (sequence, key head): its keys and values are copied once to fp32 tiles and serve
// all its query heads. Queries go by blocks of kQueries rows, so that scores never take more than
// kQueries × T; backward adds to dk and dv tiles of the task in a fixed order.
namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

constexpr int64_t kQueries = 32;

struct Geometry {
  int64_t sequences, rows, width, heads, key_heads, group, D, longest;
  const int32_t* offsets;
  float scale;
  bool causal;
};

Geometry geometry_of(const char* op, In qkv, In offsets, int64_t lse_heads, int64_t y_width,
                     AttentionOptions o) {
  const int64_t D = head_size(op, qkv, lse_heads, y_width, o);
  const int64_t sequences = offsets[0] - 1;
  check(sequences >= 0, "{}: offsets need at least one entry", op);
  const int32_t* begin = offsets.as<int32_t>();
  int64_t longest = 0;
  for (int64_t s = 0; s < sequences; ++s) {
    check(begin[s] <= begin[s + 1], "{}: offsets fall from {} to {} at sequence {}", op, begin[s],
          begin[s + 1], s);
    longest = std::max<int64_t>(longest, begin[s + 1] - begin[s]);
  }
  check(begin[0] == 0 && begin[sequences] == qkv[0],
        "{}: offsets go from {} to {}, rows from 0 to {}", op, begin[0], begin[sequences], qkv[0]);
  return {sequences,   qkv[0],
          qkv[1],      o.heads,
          o.key_heads, o.heads / o.key_heads,
          D,           longest,
          begin,       1.0f / std::sqrt(float(D)),
          o.causal};
}

// How many keys the queries before row `end` of a sequence of T see.
int64_t visible(const Geometry& g, int64_t end, int64_t T) { return g.causal ? end : T; }

// Memory of one thread, cut into tiles.
struct Tiles {
  float* at;
  float* take(int64_t count) {
    float* tile = at;
    at += count;
    return tile;
  }
};

Tiles tiles_of_thread(float* memory, int64_t each) { return {memory + thread_index() * each}; }

// The rows begin..end-1 of one query head, scaled by 1/√D: q[rows D].
template <class T>
void load_queries(float* q, const T* in, const Geometry& g, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    for (int64_t d = 0; d < g.D; ++d)
      q[(i - begin) * g.D + d] = float(in[i * g.width + d]) * g.scale;
}

template <class Body>
void for_each_task(const Geometry& g, Body&& body) {
  parallel_for(g.sequences * g.key_heads,
               [&](int64_t task) { body(task / g.key_heads, task % g.key_heads); });
}

}  // namespace

void attention_forward(Stream& stream, Out y, Out lse, In qkv, In offsets, AttentionOptions o) {
  const Geometry g = geometry_of("attention_forward", qkv, offsets, lse[1], y[1], o);
  const int64_t wide = padded(g.longest), D = g.D, Dp = padded(D);
  const int64_t each = D * wide + g.longest * Dp + kQueries * (D + wide + Dp);
  float* memory = stream.scratch().reserve<float>(each * thread_count());
  dispatch_float(qkv.dtype, [&]<class X>(TypeTag<X>) {
    for_each_task(g, [&](int64_t s, int64_t key_head) {
      const int64_t first = g.offsets[s], T = g.offsets[s + 1] - first, Tp = padded(T);
      const X* rows = qkv.as<X>() + first * g.width;
      Tiles tiles = tiles_of_thread(memory, each);
      float *keys = tiles.take(D * wide), *values = tiles.take(g.longest * Dp);
      float *q = tiles.take(kQueries * D), *p = tiles.take(kQueries * wide),
            *out = tiles.take(kQueries * Dp);
      copy_head_transposed(keys, rows + (g.heads + key_head) * D, g.width, T, D);
      copy_head(values, Dp, rows + (g.heads + g.key_heads + key_head) * D, g.width, T, D);

      for (int64_t h = key_head * g.group; h < (key_head + 1) * g.group; ++h) {
        for (int64_t begin = 0; begin < T; begin += kQueries) {
          const int64_t end = std::min(begin + kQueries, T), count = end - begin;
          const int64_t seen = visible(g, end, T);
          load_queries(q, rows + h * D, g, begin, end);
          product(p, Tp, {q, D, 1}, keys, Tp, count, padded(seen), D);
          for (int64_t i = 0; i < count; ++i) {
            float* row = p + i * Tp;
            const int64_t own = visible(g, begin + i + 1, T);
            float largest = row[0];
            for (int64_t j = 1; j < own; ++j) largest = std::max(largest, row[j]);
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t j = 0; j < own; ++j) sum += row[j] = fast_exp(row[j] - largest);
            const float inverse = 1.0f / sum;
            for (int64_t j = 0; j < own; ++j) row[j] *= inverse;
            for (int64_t j = own; j < seen; ++j) row[j] = 0;
            lse.as<float>()[(first + begin + i) * g.heads + h] = largest + std::log(sum);
          }
          product(out, Dp, {p, Tp, 1}, values, Dp, count, Dp, seen);
          for (int64_t i = 0; i < count; ++i)
            for (int64_t d = 0; d < D; ++d)
              store(y.as<X>()[(first + begin + i) * y[1] + h * D + d], out[i * Dp + d]);
        }
      }
    });
  });
}

void attention_backward(Stream& stream, Out dqkv, In dy, In qkv, In y, In lse, In offsets,
                        AttentionOptions o) {
  const Geometry g = geometry_of("attention_backward", qkv, offsets, lse[1], y[1], o);
  const int64_t wide = padded(g.longest), D = g.D, Dp = padded(D);
  const int64_t each = 2 * D * wide + 3 * g.longest * Dp + kQueries * (4 * Dp + 2 * wide);
  float* memory = stream.scratch().reserve<float>(each * thread_count());
  dispatch_float(qkv.dtype, [&]<class X>(TypeTag<X>) {
    for_each_task(g, [&](int64_t s, int64_t key_head) {
      const int64_t first = g.offsets[s], T = g.offsets[s + 1] - first, Tp = padded(T);
      const X* rows = qkv.as<X>() + first * g.width;
      X* drows = dqkv.as<X>() + first * g.width;
      const int64_t key_column = (g.heads + key_head) * D;
      const int64_t value_column = (g.heads + g.key_heads + key_head) * D;
      Tiles tiles = tiles_of_thread(memory, each);
      float *keys_t = tiles.take(D * wide), *values_t = tiles.take(D * wide);
      float *keys = tiles.take(g.longest * Dp), *dk = tiles.take(g.longest * Dp),
            *dv = tiles.take(g.longest * Dp);
      float *q = tiles.take(kQueries * Dp), *dout = tiles.take(kQueries * Dp),
            *dq = tiles.take(kQueries * Dp), *q_unscaled = tiles.take(kQueries * Dp);
      float *p = tiles.take(kQueries * wide), *ds = tiles.take(kQueries * wide);
      copy_head_transposed(keys_t, rows + key_column, g.width, T, D);
      copy_head_transposed(values_t, rows + value_column, g.width, T, D);
      copy_head(keys, Dp, rows + key_column, g.width, T, D);
      std::fill(dk, dk + T * Dp, 0.0f);
      std::fill(dv, dv + T * Dp, 0.0f);

      for (int64_t h = key_head * g.group; h < (key_head + 1) * g.group; ++h) {
        for (int64_t begin = 0; begin < T; begin += kQueries) {
          const int64_t end = std::min(begin + kQueries, T), count = end - begin;
          const int64_t seen = visible(g, end, T);
          const int64_t row0 = first + begin;
          load_queries(q, rows + h * D, g, begin, end);
          copy_head(q_unscaled, Dp, rows + begin * g.width + h * D, g.width, count, D);
          copy_head(dout, Dp, dy.as<X>() + row0 * y[1] + h * D, y[1], count, D);
          product(p, Tp, {q, D, 1}, keys_t, Tp, count, padded(seen), D);
          product(ds, Tp, {dout, Dp, 1}, values_t, Tp, count, padded(seen), D);  // dy · v
          for (int64_t i = 0; i < count; ++i) {
            const X* out = y.as<X>() + (row0 + i) * y[1] + h * D;
            float delta = 0;
            for (int64_t d = 0; d < D; ++d) delta += dout[i * Dp + d] * float(out[d]);
            const float log_sum = lse.as<float>()[(row0 + i) * g.heads + h];
            const int64_t own = visible(g, begin + i + 1, T);
            float *pi = p + i * Tp, *dsi = ds + i * Tp;
#pragma omp simd
            for (int64_t j = 0; j < own; ++j) {
              pi[j] = fast_exp(pi[j] - log_sum);
              dsi[j] = pi[j] * (dsi[j] - delta) * g.scale;
            }
            for (int64_t j = own; j < seen; ++j) pi[j] = dsi[j] = 0;
          }
          product(dv, Dp, {p, 1, Tp}, dout, Dp, seen, Dp, count, true);         // pᵀ dy
          product(dk, Dp, {ds, 1, Tp}, q_unscaled, Dp, seen, Dp, count, true);  // dsᵀ q
          product(dq, Dp, {ds, Tp, 1}, keys, Dp, count, Dp, seen);              // ds k
          for (int64_t i = 0; i < count; ++i)
            for (int64_t d = 0; d < D; ++d)
              store(drows[(begin + i) * g.width + h * D + d], dq[i * Dp + d]);
        }
      }
      for (int64_t t = 0; t < T; ++t)
        for (int64_t d = 0; d < D; ++d) {
          store(drows[t * g.width + key_column + d], dk[t * Dp + d]);
          store(drows[t * g.width + value_column + d], dv[t * Dp + d]);
        }
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

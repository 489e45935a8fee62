#include "kernels/ops/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

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

// Queries are lanes of vectors, and the rows of a panel are those whose queries of one key head fill two vectors:
//
//   scores[t][lane] = Σ_d key[t][d] query[d][lane]      t: tokens of the prefix, then the own ones of a sequence
//   sums[d][lane]   = Σ_t value[t][d] exp(scores[t][lane] - largest[lane])
//
// So rows of a prefix share the reading of its keys and values. Where few lanes are used, the second product is
// computed with d along the vectors instead, which adds up the same numbers in the same order: a query's bits depend
// on no other query.
constexpr int64_t kPanel = 2 * kLanes;
// The lanes of a sequence begin anywhere in a panel and are computed in whole vectors: the last may extend past it.
constexpr int64_t kWidth = kPanel + kLanes;

// Keys or values of one head in fp32; consecutive tokens are `row` elements apart.
struct HeadRows {
  const float* data;
  int64_t row;
};

// Copied to `memory` if they are bf16, or if a row must be filled up to `width` with zeros.
HeadRows head_rows(float* memory, const float* from, int64_t row, int64_t tokens, int64_t D,
                   int64_t width) {
  if (width == D) return {from, row};
  copy_head(memory, width, from, row, tokens, D);
  return {memory, width};
}
HeadRows head_rows(float* memory, const bf16* from, int64_t row, int64_t tokens, int64_t D,
                   int64_t width) {
  copy_head(memory, width, from, row, tokens, D);
  return {memory, width};
}

// Rows whose queries are the lanes of a panel: [row, row + rows), `heads` from `head` on.
struct Panel {
  int64_t row, rows, head, heads;
  int64_t lanes() const { return rows * heads; }
};

// Memory of a thread. D is filled up to whole vectors in rows of values and outputs.
struct Tiles {
  float *prefix_keys, *prefix_values, *own_keys, *own_values;  // of one head, where they are copied
  float *queries, *scores, *sums;                              // [d or t][kWidth]
  float* outputs;                                              // [lane][d]
};

class CachedAttention {
 public:
  CachedAttention(Out y, In qkv, In keys, In values, Range prefix, Range own, int heads,
                  int key_heads)
      : y_(y),
        qkv_(qkv),
        keys_(keys),
        values_(values),
        prefix_(prefix),
        own_(own),
        D_(y[1] / heads),
        wide_(padded(D_)),
        group_(heads / key_heads),
        key_heads_(key_heads),
        scale_(1.0f / std::sqrt(float(D_))) {
    if (qkv[0] == 0) return;
    longest_prefix_ = *std::max_element(prefix.count, prefix.count + qkv[0]);
    longest_own_ = *std::max_element(own.count, own.count + qkv[0]);
  }

  void run(Stream& stream) {
    each_ =
        (longest_prefix_ + longest_own_) * (D_ + wide_ + kWidth) + 2 * D_ * kWidth + kPanel * wide_;
    memory_ = stream.scratch().reserve<float>(each_ * thread_count());
    const int64_t N = qkv_[0];
    constexpr int64_t kRowsOfTask = 16;
    dispatch_float(qkv_.dtype, [&]<class X>(TypeTag<X>) {
      parallel_for((N + kRowsOfTask - 1) / kRowsOfTask * key_heads_, [&](int64_t task) {
        const int64_t first = task / key_heads_ * kRowsOfTask;
        const int64_t end = std::min(N, first + kRowsOfTask);
        for (int64_t row = first, next; row < end; row = next) {
          for (next = row + 1; next < end && same(prefix_, row, next);) ++next;
          attend<X>(row, next, task % key_heads_);
        }
      });
    });
  }

 private:
  static bool same(Range range, int64_t a, int64_t b) {
    return range.begin[a] == range.begin[b] && range.count[a] == range.count[b];
  }

  Tiles tiles() const {
    float* at = memory_ + thread_index() * each_;
    const auto take = [&](int64_t count) { return std::exchange(at, at + count); };
    const int64_t P = longest_prefix_, T = longest_own_;
    return {.prefix_keys = take(P * D_),
            .prefix_values = take(P * wide_),
            .own_keys = take(T * D_),
            .own_values = take(T * wide_),
            .queries = take(D_ * kWidth),
            .scores = take((P + T) * kWidth),
            .sums = take(D_ * kWidth),
            .outputs = take(kPanel * wide_)};
  }

  // Rows of one prefix.
  template <class X>
  void attend(int64_t begin, int64_t end, int64_t key_head) const {
    const Tiles tile = tiles();
    const int64_t stride = keys_[1], P = prefix_.count[begin];
    const int64_t at = prefix_.begin[begin] * stride + key_head * D_;
    const HeadRows keys = head_rows(tile.prefix_keys, keys_.as<X>() + at, stride, P, D_, D_);
    const HeadRows values =
        head_rows(tile.prefix_values, values_.as<X>() + at, stride, P, D_, wide_);
    const int64_t heads = std::min(group_, kPanel), rows = kPanel / heads;
    for (int64_t h = 0; h < group_; h += heads)
      for (int64_t row = begin; row < end; row += rows)
        attend<X>({row, std::min(rows, end - row), key_head * group_ + h,
                   std::min(heads, group_ - h)},
                  key_head, keys, values, tile);
  }

  template <class X>
  void attend(const Panel& panel, int64_t key_head, HeadRows keys, HeadRows values,
              const Tiles& tile) const {
    const int64_t P = prefix_.count[panel.row], lanes = padded(panel.lanes());
    const int64_t longest = most_own_tokens(panel);
    read_queries<X>(tile.queries, panel);
    product(tile.scores, kWidth, {keys.data, keys.row, 1}, tile.queries, kWidth, P, lanes, D_);
    float* own_scores = tile.scores + P * kWidth;
    for_sequences(panel, [&](const Panel& sequence, int64_t lane) {
      score_own<X>(own_scores + lane, tile.queries + lane, sequence, key_head, longest, tile);
    });
    float inverse[kPanel];
    if (lanes <= kLanes)
      exponentials<kLanes>(tile.scores, P + longest, inverse);
    else
      exponentials<kPanel>(tile.scores, P + longest, inverse);
    weigh(tile, values, panel.lanes(), P);
    for_sequences(panel, [&](const Panel& sequence, int64_t lane) {
      const HeadRows own = own_rows<X>(tile.own_values, values_, wide_, sequence, key_head);
      product(tile.outputs + lane * wide_, wide_, {own_scores + lane, 1, kWidth}, own.data, own.row,
              sequence.lanes(), wide_, most_own_tokens(sequence), true);
    });
    for (int64_t i = 0; i < panel.rows; ++i)
      for (int64_t h = 0; h < panel.heads; ++h) {
        const int64_t lane = i * panel.heads + h;
        write(y_.as<X>() + (panel.row + i) * y_[1] + (panel.head + h) * D_,
              tile.outputs + lane * wide_, inverse[lane]);
      }
  }

  // body(rows of one sequence, their first lane)
  template <class Body>
  void for_sequences(const Panel& panel, Body&& body) const {
    for (int64_t i = 0, next; i < panel.rows; i = next) {
      for (next = i + 1;
           next < panel.rows && own_.begin[panel.row + next] == own_.begin[panel.row + i];)
        ++next;
      body(Panel{panel.row + i, next - i, panel.head, panel.heads}, i * panel.heads);
    }
  }
  int64_t most_own_tokens(const Panel& panel) const {
    return *std::max_element(own_.count + panel.row, own_.count + panel.row + panel.rows);
  }
  template <class X>
  HeadRows own_rows(float* memory, In cache, int64_t width, const Panel& sequence,
                    int64_t key_head) const {
    const X* from = cache.as<X>() + own_.begin[sequence.row] * cache[1] + key_head * D_;
    return head_rows(memory, from, cache[1], most_own_tokens(sequence), D_, width);
  }

  template <class X>
  void read_queries(float* queries, const Panel& panel) const {
    std::fill(queries, queries + D_ * kWidth, 0.0f);
    for (int64_t i = 0; i < panel.rows; ++i)
      for (int64_t h = 0; h < panel.heads; ++h) {
        const X* from = qkv_.as<X>() + (panel.row + i) * qkv_[1] + (panel.head + h) * D_;
        float* to = queries + i * panel.heads + h;
        for (int64_t d = 0; d < D_; ++d) to[d * kWidth] = float(from[d]) * scale_;
      }
  }

  // Past a row's own tokens, up to the longest sequence of the panel, scores are masked: their exponential is 0.
  template <class X>
  void score_own(float* scores, const float* queries, const Panel& sequence, int64_t key_head,
                 int64_t longest, const Tiles& tile) const {
    const int64_t T = most_own_tokens(sequence), lanes = padded(sequence.lanes());
    const HeadRows keys = own_rows<X>(tile.own_keys, keys_, D_, sequence, key_head);
    product(scores, kWidth, {keys.data, keys.row, 1}, queries, kWidth, T, lanes, D_);
    for (int64_t t = T; t < longest; ++t)
      std::fill(scores + t * kWidth, scores + t * kWidth + lanes, kLowest);
    for (int64_t i = 0; i < sequence.rows; ++i)
      for (int64_t t = own_.count[sequence.row + i]; t < T; ++t)
        std::fill_n(scores + t * kWidth + i * sequence.heads, sequence.heads, kLowest);
  }

  // outputs[lane][d] = Σ_t scores[t][lane] values[t][d], t < tokens.
  void weigh(const Tiles& tile, HeadRows values, int64_t lanes, int64_t tokens) const {
    if (2 * lanes <= kLanes) {
      product(tile.outputs, wide_, {tile.scores, 1, kWidth}, values.data, values.row, lanes, wide_,
              tokens);
      return;
    }
    product(tile.sums, kWidth, {values.data, 1, values.row}, tile.scores, kWidth, D_, padded(lanes),
            tokens);
    for (int64_t lane = 0; lane < lanes; ++lane)
      for (int64_t d = 0; d < wide_; ++d)
        tile.outputs[lane * wide_ + d] = d < D_ ? tile.sums[d * kWidth + lane] : 0;
  }

  template <class X>
  void write(X* to, const float* sums, float scale) const {
    for (int64_t d = 0; d < D_; ++d) store(to[d], sums[d] * scale);
  }

  // Scores become their exponentials; inverse[lane] = 1 / Σ of them.
  template <int64_t kCount>
  static void exponentials(float* scores, int64_t tokens, float* inverse) {
    float largest[kCount], sums[kCount] = {};
    std::fill(largest, largest + kCount, kLowest);
    for (int64_t t = 0; t < tokens; ++t)
#pragma omp simd
      for (int64_t l = 0; l < kCount; ++l)
        largest[l] = std::max(largest[l], scores[t * kWidth + l]);
    for (int64_t t = 0; t < tokens; ++t)
#pragma omp simd
      for (int64_t l = 0; l < kCount; ++l)
        sums[l] += scores[t * kWidth + l] = fast_exp(scores[t * kWidth + l] - largest[l]);
    for (int64_t l = 0; l < kCount; ++l) inverse[l] = largest[l] == kLowest ? 0.0f : 1.0f / sums[l];
  }

  static constexpr float kLowest = std::numeric_limits<float>::lowest();

  const Out y_;
  const In qkv_, keys_, values_;
  const Range prefix_, own_;
  const int64_t D_, wide_, group_, key_heads_;
  const float scale_;
  int64_t longest_prefix_ = 0, longest_own_ = 0;
  int64_t each_ = 0;  // floats of a thread
  float* memory_ = nullptr;
};

}  // namespace

void cached_attention_forward(Stream& stream, Out y, In qkv, In keys, In values, In prefix_begin,
                              In prefix_count, In own_begin, In own_count, int heads,
                              int key_heads) {
  check_cache_heads(y, qkv, keys, heads, key_heads);
  const Range prefix{prefix_begin.as<int32_t>(), prefix_count.as<int32_t>()};
  const Range own{own_begin.as<int32_t>(), own_count.as<int32_t>()};
  check_range("prefix", prefix, qkv[0], keys[0]);
  check_range("own", own, qkv[0], keys[0]);
  CachedAttention(y, qkv, keys, values, prefix, own, heads, key_heads).run(stream);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

// attention over packed sequences, rope, the KV cache
#include "kernels/ops/attention.h"

#include "kernels/ops/kv_cache.h"
#include "kernels/ops/rope.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

struct Heads {
  int64_t H, K, D;
};

// The definition, written with the whole matrix of one query's scores.
auto attention_reference(const Doubles& offsets, Heads heads, bool causal) {
  return [=](auto& t) {
    using S = typename std::decay_t<decltype(t)>::Scalar;
    using std::exp, std::log;
    const auto [H, K, D] = heads;
    const int64_t Q = (H + 2 * K) * D;
    for (size_t s = 0; s + 1 < offsets.size(); ++s)
      for (auto i = int64_t(offsets[s]); i < int64_t(offsets[s + 1]); ++i)
        for (int64_t h = 0; h < H; ++h) {
          const int64_t key = (H + h / (H / K)) * D, value = key + K * D;
          const int64_t end = causal ? i + 1 : int64_t(offsets[s + 1]);
          std::vector<S> p;
          S sum = 0;
          for (auto j = int64_t(offsets[s]); j < end; ++j) {
            S score = 0;
            for (int64_t d = 0; d < D; ++d)
              score += t["qkv"][size_t(i * Q + h * D + d)] * t["qkv"][size_t(j * Q + key + d)];
            p.push_back(exp(score / std::sqrt(double(D))));
            sum += p.back();
          }
          t["lse"][size_t(i * H + h)] = log(sum);
          for (int64_t d = 0; d < D; ++d) {
            S y = 0;
            for (auto j = int64_t(offsets[s]); j < end; ++j)
              y += p[size_t(j - int64_t(offsets[s]))] / sum * t["qkv"][size_t(j * Q + value + d)];
            t["y"][size_t(i * H * D + h * D + d)] = y;
          }
        }
  };
}

TEST(Attention, ValueAndGradient) {
  const std::vector<std::pair<Doubles, Heads>> cases{
      {{0, 1}, {1, 1, 8}},
      {{0, 3, 3, 10}, {2, 2, 5}},  // an empty sequence among them
      {{0, 50, 100}, {2, 2, 64}},
      {{0, 77}, {4, 2, 16}},           // grouped heads
      {{0, 40, 41, 110}, {3, 1, 8}}};  // longer than a block of queries
  for (const auto& [offsets, heads] : cases) {
    for (bool causal : {false, true}) {
      const auto [H, K, D] = heads;
      const Sizes sizes{{'N', int64_t(offsets.back())},
                        {'C', H * D},
                        {'H', H},
                        {'Q', (H + 2 * K) * D},
                        {'S', int64_t(offsets.size())}};
      const AttentionOptions options{int(H), int(K), causal};
      const OpInputs inputs{.given = {{"offsets", offsets}}};
      const auto reference = attention_reference(offsets, heads, causal);
      check_op(attention_forward, sizes, reference, std::tuple{options}, inputs);
      check_gradient(attention_forward, attention_backward, sizes, reference, std::tuple{options},
                     std::tuple{options}, inputs);
    }
  }
}

TEST(Attention, LargeScoresDoNotOverflow) {
  Guarded qkv({4, 24}, DType::f32), y({4, 8}, DType::f32), lse({4, 1}, DType::f32);
  Doubles values = random_normal(4 * 24, 3);
  for (double& v : values) v *= 100;
  qkv.store(values);
  const std::vector<int32_t> offsets{0, 4};
  Stream stream;
  attention_forward(stream, y.tensor, lse.tensor, qkv.tensor, tensor_of(offsets.data(), {2}),
                    {.heads = 1, .key_heads = 1});
  for (double v : y.load()) EXPECT_TRUE(std::isfinite(v));
}

TEST(Attention, BrokenOffsetsAreNamed) {
  Guarded qkv({4, 24}, DType::f32), y({4, 8}, DType::f32), lse({4, 1}, DType::f32);
  Stream stream;
  for (std::vector<int32_t> offsets : {std::vector<int32_t>{0, 3}, {0, 3, 2}, {1, 4}}) {
    EXPECT_THROW(attention_forward(stream, y.tensor, lse.tensor, qkv.tensor,
                                   tensor_of(offsets.data(), {int64_t(offsets.size())}), {1, 1}),
                 Error);
  }
}

TEST(Rope, RotatesQueriesAndKeysOnly) {
  const int64_t H = 3, K = 1, D = 8, Q = (H + 2 * K) * D;
  const OpInputs inputs{.given = {{"positions", {0, 4, 2}}}};
  check_op(
      rope_forward, {{'N', 3}, {'Q', Q}, {'T', 5}, {'D', D}},
      [=](auto& t) {
        for (int64_t n = 0; n < 3; ++n)
          for (int64_t h = 0; h < H + K; ++h)
            for (int64_t i = 0; i < D / 2; ++i) {
              const auto row = size_t(t["positions"][size_t(n)]) * size_t(D);
              const double c = t["table"][row + size_t(i)], s = t["table"][row + size_t(D / 2 + i)];
              double &a = t["qkv"][size_t(n * Q + h * D + i)],
                     &b = t["qkv"][size_t(n * Q + h * D + D / 2 + i)];
              const double rotated = a * c - b * s;
              b = b * c + a * s;
              a = rotated;
            }
      },
      std::tuple{RopeOptions{int(H), int(K)}}, inputs);
}

TEST(KvAppend, PutsKeysAndValuesInTheirPlaces) {
  check_op(kv_append, {{'N', 2}, {'T', 5}, {'C', 6}, {'Q', 24}},
           [](auto& t) {
             for (size_t n = 0; n < 2; ++n)
               for (size_t c = 0; c < 6; ++c) {
                 const auto place = size_t(t["where"][n]);
                 t["keys"][place * 6 + c] = t["qkv"][n * 24 + 12 + c];
                 t["values"][place * 6 + c] = t["qkv"][n * 24 + 18 + c];
               }
           },
           std::tuple{}, {.given = {{"where", {4, 1}}}});
}

// The definition over the union of the two ranges.
TEST(CachedAttention, ReadsPrefixAndOwnTokens) {
  const Doubles prefix_begin{2, 2, 2, 0, 9}, prefix_count{17, 17, 17, 0, 3};
  const Doubles own_begin{40, 50, 60, 20, 30}, own_count{1, 5, 20, 3, 2};
  const int64_t H = 4, K = 2, D = 24, Q = (H + 2 * K) * D;
  const OpInputs inputs{.given = {{"prefix_begin", prefix_begin},
                                  {"prefix_count", prefix_count},
                                  {"own_begin", own_begin},
                                  {"own_count", own_count}}};
  check_op(
      cached_attention_forward, {{'N', 5}, {'Q', Q}, {'C', H * D}, {'G', K * D}, {'T', 90}},
      [=](auto& t) {
        for (size_t n = 0; n < 5; ++n)
          for (int64_t h = 0; h < H; ++h) {
            std::vector<int64_t> tokens;
            for (int i = 0; i < int(prefix_count[n]); ++i)
              tokens.push_back(int64_t(prefix_begin[n]) + i);
            for (int i = 0; i < int(own_count[n]); ++i) tokens.push_back(int64_t(own_begin[n]) + i);
            const int64_t head = h / (H / K) * D;
            Doubles p;
            double sum = 0;
            for (int64_t token : tokens) {
              double score = 0;
              for (int64_t d = 0; d < D; ++d)
                score += t["qkv"][n * size_t(Q) + size_t(h * D + d)] *
                         t["keys"][size_t(token * K * D + head + d)];
              p.push_back(std::exp(score / std::sqrt(double(D))));
              sum += p.back();
            }
            for (int64_t d = 0; d < D; ++d) {
              double y = 0;
              for (size_t j = 0; j < tokens.size(); ++j)
                y += p[j] / sum * t["values"][size_t(tokens[j] * K * D + head + d)];
              t["y"][n * size_t(H * D) + size_t(h * D + d)] = y;
            }
          }
      },
      std::tuple{int(H), int(K)}, inputs);
}

TEST(CachedAttention, ARowDoesNotDependOnTheOthers) {
  const int64_t N = 50, T = 400, H = 4, K = 2, D = 16;
  Guarded qkv({N, (H + 2 * K) * D}, DType::f32), keys({T, K * D}, DType::f32),
      values({T, K * D}, DType::f32), all({N, H * D}, DType::f32), one({1, H * D}, DType::f32);
  qkv.store(random_normal(qkv.tensor.elements(), 1));
  keys.store(random_normal(keys.tensor.elements(), 2));
  values.store(random_normal(values.tensor.elements(), 3));
  std::vector<int32_t> prefix_begin(N), prefix_count(N), own_begin(N), own_count(N);
  for (int32_t n = 0; n < N; ++n) {
    prefix_begin[size_t(n)] = n < 45 ? 0 : 7;
    prefix_count[size_t(n)] = n < 45 ? 37 : 21;
    own_begin[size_t(n)] = 60 + n;
    own_count[size_t(n)] = 1 + n % 7;
  }
  auto range = [](std::vector<int32_t>& list, int64_t begin, int64_t count) {
    return tensor_of(list.data() + begin, {count});
  };
  Stream stream;
  auto run = [&](Tensor y, int64_t begin, int64_t count) {
    cached_attention_forward(stream, y, qkv.tensor.rows(begin, count), keys.tensor, values.tensor,
                             range(prefix_begin, begin, count), range(prefix_count, begin, count),
                             range(own_begin, begin, count), range(own_count, begin, count), int(H),
                             int(K));
  };
  run(all.tensor, 0, N);
  for (int64_t n : {0, 3, 31, 32, 44, 45, 49}) {
    run(one.tensor, n, 1);
    EXPECT_EQ(std::memcmp(one.tensor.data, all.tensor.rows(n, 1).data, size_t(H * D) * 4), 0) << n;
  }
}

}  // namespace
}  // namespace laclip::test

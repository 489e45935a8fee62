#include "kernels/ops/attention.h"

#include "tests/harness/gradient.h"
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
      {{0, 1}, {1, 1, 8}},           {{0, 3, 3, 10}, {2, 2, 5}},  // an empty sequence among them
      {{0, 50, 100}, {2, 2, 64}},    {{0, 77}, {4, 2, 16}},       // grouped heads
      {{0, 40, 41, 110}, {3, 1, 8}},                              // longer than a block of queries
      {{0, 70, 200}, {2, 1, 64}},  // whole tiles of keys before a part of one
      {{0, 130}, {1, 1, 128}}};
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
  constexpr int64_t N = 70, D = 16;
  Doubles qkv = random_normal(N * 3 * D, 3);
  for (int64_t n = 0; n < N; ++n)
    for (int64_t c = 0; c < 2 * D; ++c) qkv[size_t(n * 3 * D + c)] *= 8;  // of queries and keys
  const Doubles offsets{0, double(N)};
  check_op(attention_forward, {{'N', N}, {'Q', 3 * D}, {'C', D}, {'H', 1}, {'S', 2}},
           attention_reference(offsets, {1, 1, D}, false),
           std::tuple{AttentionOptions{.heads = 1, .key_heads = 1}},
           {.given = {{"offsets", offsets}, {"qkv", qkv}}});
}

// A NaN carries bits of its own, which the exponential must not make a number of.
TEST(Attention, ANanInAQueryMakesItsRowNan) {
  constexpr size_t N = 20, D = 8;
  std::vector<float> qkv;
  for (double x : random_normal(N * 3 * D, 5)) qkv.push_back(float(x));
  const std::vector<uint32_t> nans{0x7fc00000, 0x7fc00001, 0x7fffffff, 0xffc00000,
                                   0xffffffff, 0xff800001, 0x7fd12345};
  for (size_t i = 0; i < nans.size(); ++i) std::memcpy(&qkv[(2 * i + 1) * 3 * D], &nans[i], 4);
  std::vector<float> y(N * D), lse(N);
  std::vector<int32_t> offsets{0, int32_t(N)};
  Stream stream;
  attention_forward(stream, tensor_of(y.data(), {N, D}), tensor_of(lse.data(), {N, 1}),
                    tensor_of(qkv.data(), {N, 3 * D}), tensor_of(offsets), {1, 1});
  for (size_t n = 0; n < N; ++n)
    for (size_t d = 0; d < D; ++d)
      EXPECT_EQ(std::isnan(y[n * D + d]), n % 2 == 1 && n / 2 < nans.size()) << n << ' ' << d;
}

TEST(Attention, BrokenOffsetsAreNamed) {
  for (Device device : test_devices())
    for (DType type : {DType::f32, DType::bf16})
      for (const Doubles& broken : {Doubles{0, 3}, {0, 3, 2}, {1, 4}, {0, -70, 4}, {0, 900, 4}}) {
        Guarded qkv({4, 24}, type, device), y({4, 8}, type, device), dqkv({4, 24}, type, device),
            lse({4, 1}, DType::f32, device), offsets({int64_t(broken.size())}, DType::i32, device);
        offsets.store(broken);
        lse.store({0, 0, 0, 0});
        Stream stream(device);
        EXPECT_THROW((attention_forward(stream, y.tensor, lse.tensor, qkv.tensor, offsets.tensor,
                                        {1, 1}),
                      stream.synchronize()),
                     Error);
        EXPECT_THROW((attention_backward(stream, dqkv.tensor, y.tensor, qkv.tensor, y.tensor,
                                         lse.tensor, offsets.tensor, {1, 1}),
                      stream.synchronize()),
                     Error);
        EXPECT_TRUE(y.guards_intact() && dqkv.guards_intact() && lse.guards_intact());
      }
}

}  // namespace
}  // namespace laclip::test

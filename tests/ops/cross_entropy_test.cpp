#include "kernels/ops/cross_entropy.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

constexpr float kWeight = 0.125f;

// The definition, with whole rows of logits.
const auto reference = [](auto& t) {
  using S = typename std::decay_t<decltype(t)>::Scalar;
  using std::exp, std::log;
  const auto N = size_t(t('N')), V = size_t(t('V')), C = size_t(t('C'));
  S loss = 0;
  for (size_t n = 0; n < N; ++n) {
    std::vector<S> s(V);
    S sum = 0;
    for (size_t v = 0; v < V; ++v) {
      for (size_t c = 0; c < C; ++c) s[v] += t["x"][n * C + c] * t["w"][v * C + c];
      sum += exp(s[v]);
    }
    t["lse"][n] = log(sum);
    const auto target = int64_t(value_of(t["target"][n]));
    if (target >= 0) loss += log(sum) - s[size_t(target)];
  }
  t["loss"][0] = loss * double(kWeight);
};

OpInputs targets(int64_t N, int64_t V) {
  OpInputs inputs{.rounded_terms = true};
  for (int64_t n = 0; n < N; ++n)  // every fifth does not count
    inputs.given["target"].push_back(n % 5 == 3 ? -1 : double((n * 37 + 11) % V));
  return inputs;
}

TEST(CrossEntropy, ValueAndGradient) {
  // 300 rows take two tiles of rows, 1100 tokens two of columns, with remainders.
  for (auto [N, V, C] : {std::tuple{1, 2, 3}, {7, 33, 5}, {300, 40, 8}, {20, 1100, 16}}) {
    const Sizes sizes{{'N', N}, {'V', V}, {'C', C}};
    check_op(cross_entropy_forward, sizes, reference, std::tuple{kWeight}, targets(N, V));
    check_gradient(cross_entropy_forward, cross_entropy_backward, sizes, reference,
                   std::tuple{kWeight}, std::tuple{kWeight}, targets(N, V));
  }
}

TEST(CrossEntropy, ATargetOutsideTheVocabularyIsNamed) {
  Guarded x({2, 3}, DType::f32), w({4, 3}, DType::f32), lse({2}, DType::f32), loss({1}, DType::f32);
  const int32_t target[] = {0, 4};
  Stream stream;
  try {
    cross_entropy_forward(stream, loss.tensor, lse.tensor, x.tensor, w.tensor,
                          tensor_of(target, {2}), 1.0f);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "cross_entropy_forward: target 4 of row 1 is outside the vocabulary of 4");
  }
}

}  // namespace
}  // namespace laclip::test

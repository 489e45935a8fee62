#include "kernels/ops/cross_entropy.h"

#include "tests/harness/error_of.h"
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
  // 300 rows take two tiles of rows, 1100 tokens two of columns, with remainders. On a GPU a step
  // along C is 16 in fp32, 64 in bf16, and 2060 tokens take two chunks of backward.
  for (auto [N, V, C] : {std::tuple{1, 2, 3},
                         {7, 33, 5},
                         {300, 40, 8},
                         {20, 1100, 16},
                         {3, 2060, 8},
                         {9, 140, 136},
                         {9, 70, 99}}) {
    const Sizes sizes{{'N', N}, {'V', V}, {'C', C}};
    check_op(cross_entropy_forward, sizes, reference, std::tuple{kWeight}, targets(N, V));
    check_gradient(cross_entropy_forward, cross_entropy_backward, sizes, reference,
                   std::tuple{kWeight}, std::tuple{kWeight}, targets(N, V));
  }
}

// The outputs of forward and backward, each kernel run once.
std::map<std::string, Doubles> outputs_on(Device device, int64_t N, int64_t V, int64_t C) {
  std::map<std::string, Guarded> all;
  const auto add = [&](const char* name, Shape shape, const Doubles& values) {
    all.try_emplace(name, shape, std::string_view(name) == "target" ? DType::i32 : DType::f32,
                    device)
        .first->second.store(values);
    return all.at(name).tensor;
  };
  const Tensor x = add("x", {N, C}, random_normal(N * C, 1)),
               w = add("w", {V, C}, random_normal(V * C, 2)),
               target = add("target", {N}, targets(N, V).given["target"]);
  const Tensor loss = add("loss", {1}, {}), lse = add("lse", {N}, {}), dx = add("dx", {N, C}, {}),
               dw = add("dw", {V, C}, random_normal(V * C, 3));
  Stream stream(device);
  cross_entropy_forward(stream, loss, lse, x, w, target, kWeight);
  cross_entropy_backward(stream, dx, dw, x, w, target, lse, kWeight);
  stream.synchronize();
  std::map<std::string, Doubles> outputs;
  for (const auto& [name, memory] : all) outputs[name] = memory.load();
  return outputs;
}

TEST(CrossEntropy, ManyRowsAreTheSameOnEveryDevice) {
  // On a GPU 4100 rows take three launches forward, with two tiles of tokens to a thread, and two blocks
  // backward.
  const auto devices = test_devices();
  if (devices.size() < 2) GTEST_SKIP() << "one device";
  const auto want = outputs_on(Device::cpu, 4100, 2300, 4);
  for (const auto& [name, got] : outputs_on(Device::cuda, 4100, 2300, 4))
    EXPECT_LE(relative_error(got, want.at(name)), value_tolerance(DType::f32)) << name;
}

TEST(CrossEntropy, ATargetOutsideTheVocabularyIsNamed) {
  for (Device device : test_devices()) {
    SCOPED_TRACE(name_of(device));
    Guarded x({2, 3}, DType::f32, device), w({4, 3}, DType::f32, device),
        lse({2}, DType::f32, device), loss({1}, DType::f32, device), dx({2, 3}, DType::f32, device),
        dw({4, 3}, DType::f32, device), target({2}, DType::i32, device);
    target.store({0, 4});
    Stream stream(device);
    const auto expected = [&](const char* op) {
      return device == Device::cpu
                 ? fmt::format("{}: target 4 of row 1 is outside the vocabulary of 4", op)
                 : fmt::format("{}: row 1: id 4 is outside the table of 4", op);
    };
    EXPECT_EQ(error_of([&] {
                cross_entropy_forward(stream, loss.tensor, lse.tensor, x.tensor, w.tensor,
                                      target.tensor, 1.0f);
                stream.synchronize();
              }),
              expected("cross_entropy_forward"));
    EXPECT_EQ(error_of([&] {
                cross_entropy_backward(stream, dx.tensor, dw.tensor, x.tensor, w.tensor,
                                       target.tensor, lse.tensor, 1.0f);
                stream.synchronize();
              }),
              expected("cross_entropy_backward"));
  }
}

}  // namespace
}  // namespace laclip::test

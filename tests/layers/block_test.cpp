// The layers' backward passes by finite differences, through whole blocks.
#include <gtest/gtest.h>

#include <cmath>

#include "base/philox.h"
#include "engine/layers/transformer_block.h"

namespace laclip {
namespace {

constexpr int64_t kRows = 9, kWidth = 24, kHidden = 40;
constexpr int kHeads = 3;

std::vector<float> random_values(int64_t count, uint64_t seed) {
  Random random(seed, RandomUse::test);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = random.normal();
  return values;
}

// One block with its parameters, over sequences of 4, 1 and 4 rows.
struct BlockCase {
  BlockCase(bool causal, bool qk_norm) {
    const auto linear = [&](const std::string& name, int64_t outputs, int64_t inputs) {
      return Linear{&parameters.add(name + ".weight", {outputs, inputs}, Decay::yes, Normal{0.3f}),
                    &parameters.add(name + ".bias", {outputs}, Decay::no, Normal{0.3f})};
    };
    const auto vector = [&](const char* name, int64_t size) {
      return &parameters.add(name, {size}, Decay::no, Normal{1});
    };
    block.ln_1 = {vector("ln_1.weight", kWidth), vector("ln_1.bias", kWidth)};
    block.ln_2 = {vector("ln_2.weight", kWidth), vector("ln_2.bias", kWidth)};
    block.attention.qkv = linear("qkv", 3 * kWidth, kWidth);
    block.attention.proj = linear("proj", kWidth, kWidth);
    block.attention.heads = kHeads;
    block.attention.causal = causal;
    if (qk_norm) {
      constexpr int64_t D = kWidth / kHeads;
      block.attention.norm = {vector("q.weight", D), vector("q.bias", D), vector("k.weight", D),
                              vector("k.bias", D), 1e-6f};
    }
    block.mlp = {linear("widen", kHidden, kWidth), linear("narrow", kWidth, kHidden)};
    parameters.allocate(DType::f32, Training::yes);
    parameters.initialize(3);
  }
  Tensor input() { return tensor_of(x.data(), {kRows, kWidth}); }
  Tensor sequences() { return tensor_of(offsets.data(), {4}); }
  std::vector<float> forward() {
    const ArenaScope scope(arena);
    const Tensor y = step.tensor({kRows, kWidth});
    block.forward(step, input(), sequences(), y);
    return {y.as<float>(), y.as<float>() + y.elements()};
  }
  double loss() {  // ⟨cotangent, block(x)⟩
    const auto y = forward();
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += double(cotangent[i]) * double(y[i]);
    return sum;
  }
  std::vector<float> backward() {  // dx; parameter gradients are added to
    const ArenaScope scope(arena);
    const Tensor y = step.tensor({kRows, kWidth});
    const auto saved = block.forward(step, input(), sequences(), y);
    std::vector<float> dx(x.size());
    block.backward(step, saved, tensor_of(cotangent.data(), {kRows, kWidth}),
                   tensor_of(dx.data(), {kRows, kWidth}));
    return dx;
  }

  ParameterSet parameters;
  TransformerBlock block;
  std::vector<float> x = random_values(kRows * kWidth, 1),
                     cotangent = random_values(kRows * kWidth, 2);
  std::vector<int32_t> offsets{0, 4, 5, 9};
  Stream stream;
  Arena arena{"test", 1 << 22};
  Step step{stream, arena};
};

// The slope of the loss when `values` move along `direction`: a central difference, whose error is
// of the order of the step squared and of the rounding of fp32 over the step.
double slope(BlockCase& test, float* values, const std::vector<double>& direction) {
  constexpr double kStep = 2e-3;
  const std::vector<float> before(values, values + direction.size());
  const auto at = [&](double t) {
    for (size_t i = 0; i < direction.size(); ++i)
      values[i] = float(double(before[i]) + t * direction[i]);
    return test.loss();
  };
  const double result = (at(kStep) - at(-kStep)) / (2 * kStep);
  std::copy(before.begin(), before.end(), values);
  return result;
}

class TransformerBlockTest : public testing::TestWithParam<std::pair<bool, bool>> {};

TEST_P(TransformerBlockTest, GradientsAgreeWithFiniteDifferences) {
  BlockCase test(GetParam().first, GetParam().second);
  const auto dx = test.backward();
  const auto expect = [&](const std::string& what, float* values, const float* gradient,
                          int64_t count) {
    // Along the gradient, scaled to length one: the slope is the gradient's length.
    double length = 0;
    for (int64_t i = 0; i < count; ++i) length += double(gradient[i]) * double(gradient[i]);
    length = std::sqrt(length);
    std::vector<double> direction;
    for (int64_t i = 0; i < count; ++i) direction.push_back(double(gradient[i]) / length);
    EXPECT_NEAR(slope(test, values, direction) / length, 1, 5e-3) << what;
  };
  expect("x", test.x.data(), dx.data(), int64_t(dx.size()));
  for (const Parameter& p : test.parameters.list()) {
    if (p.name == "k.bias") continue;  // adds the same to all keys: its gradient is zero
    expect(p.name, p.master.as<float>(), p.gradient.as<float>(), p.gradient.elements());
  }
}

INSTANTIATE_TEST_SUITE_P(CausalAndQkNorm, TransformerBlockTest,
                         testing::Values(std::pair{false, false}, std::pair{true, false},
                                         std::pair{false, true}, std::pair{true, true}));

TEST(TransformerBlock, GradientsAccumulate) {
  BlockCase test(true, false);
  test.backward();
  const Tensor all = test.parameters.gradients();
  const std::vector<float> once(all.as<float>(), all.as<float>() + all.elements());
  test.backward();
  for (size_t i = 0; i < once.size(); ++i)
    ASSERT_NEAR(all.as<float>()[i], 2 * once[i], 1e-4f + 1e-5f * std::abs(once[i]));
}

TEST(TransformerBlock, SequencesDoNotSeeEachOther) {
  BlockCase test(false, false);
  const auto before = test.forward();
  for (int64_t c = 0; c < kWidth; c += 2)
    test.x[size_t(4 * kWidth + c)] += 1;  // the middle sequence
  const auto after = test.forward();
  for (int64_t row = 0; row < kRows; ++row) {
    const auto begin = before.begin() + row * kWidth;
    EXPECT_EQ(std::equal(begin, begin + kWidth, after.begin() + row * kWidth), row != 4) << row;
  }
}

}  // namespace
}  // namespace laclip

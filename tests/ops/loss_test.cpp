// the contrastive loss, AdamW, sampling
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/ops/adamw.h"
#include "kernels/ops/contrastive.h"
#include "kernels/ops/sampling.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

// The definition, with the whole matrix of logits.
const auto contrastive_reference = [](auto& t) {
  using S = typename std::decay_t<decltype(t)>::Scalar;
  using std::exp, std::log;
  const auto B = size_t(t('B')), E = size_t(t('E'));
  std::vector<S> s(B * B);
  for (size_t a = 0; a < B; ++a)
    for (size_t b = 0; b < B; ++b) {
      for (size_t e = 0; e < E; ++e) s[a * B + b] += t["image"][a * E + e] * t["text"][b * E + e];
      s[a * B + b] = s[a * B + b] * exp(t["logit_scale"][0]);
    }
  S loss = 0;
  for (size_t b = 0; b < B; ++b) {
    S rows = 0, columns = 0;
    for (size_t a = 0; a < B; ++a) {
      rows += exp(s[b * B + a]);
      columns += exp(s[a * B + b]);
    }
    t["lse_image"][b] = log(rows);
    t["lse_text"][b] = log(columns);
    loss += log(rows) + log(columns) - 2.0 * s[b * B + b];
  }
  t["loss"][0] = loss / (2.0 * double(B));
};

OpInputs unit_features(int64_t B, int64_t E) {
  OpInputs inputs{.given = {{"logit_scale", {1.5}}}};
  for (const char* name : {"image", "text"}) {
    Doubles x = random_normal(B * E, name[0] == 'i' ? 1 : 2);
    for (int64_t b = 0; b < B; ++b) {
      double norm = 0;
      for (int64_t e = 0; e < E; ++e) norm += x[size_t(b * E + e)] * x[size_t(b * E + e)];
      for (int64_t e = 0; e < E; ++e) x[size_t(b * E + e)] /= std::sqrt(norm);
    }
    inputs.given[name] = x;
  }
  return inputs;
}

TEST(Contrastive, ValueAndGradient) {
  // 600 rows take two tiles of rows and two of columns, with remainders.
  for (auto [B, E] : {std::pair{1, 3}, {7, 5}, {65, 16}, {600, 8}}) {
    const Sizes sizes{{'B', B}, {'E', E}};
    check_op(contrastive_forward, sizes, contrastive_reference, std::tuple{}, unit_features(B, E),
             {DType::f32});
    if (B == 1) continue;  // the loss is constant
    check_gradient(contrastive_forward, contrastive_backward, sizes, contrastive_reference,
                   std::tuple{}, std::tuple{}, unit_features(B, E));
  }
}

TEST(Contrastive, ABatchOfOneHasNoLoss) {
  const float unit = 1, scale = 2;
  float loss = 9, lse_image = 0, lse_text = 0;
  Stream stream;
  auto one = [](const float* x, Shape shape) { return tensor_of(x, shape); };
  contrastive_forward(stream, one(&loss, {1}), one(&lse_image, {1}), one(&lse_text, {1}),
                      one(&unit, {1, 1}), one(&unit, {1, 1}), one(&scale, {1}));
  EXPECT_NEAR(loss, 0, 1e-6);
}

TEST(Adamw, FollowsItsFormulas) {
  for (bool clip : {false, true}) {
    const AdamwOptions o{.lr = 0.01f,
                         .beta1 = 0.9f,
                         .beta2 = 0.98f,
                         .eps = 1e-6f,
                         .decay = 0.2f,
                         .max_norm = clip ? 3.0f : 0.0f,
                         .decayed = 20,
                         .step = 3};
    OpInputs inputs{.given = {{"square_norm", {36}}}};
    inputs.given["v"] = random_normal(37, 9);
    for (double& v : inputs.given["v"]) v = v * v;
    check_op(adamw, {{'N', 37}},
             [=](auto& t) {
               const double factor = clip ? 3.0 / 6.0 : 1.0;
               for (size_t i = 0; i < 37; ++i) {
                 const double g = t["gradient"][i] * factor;
                 double &m = t["m"][i], &v = t["v"][i], &w = t["w"][i];
                 m = double(o.beta1) * m + (1 - double(o.beta1)) * g;
                 v = double(o.beta2) * v + (1 - double(o.beta2)) * g * g;
                 const double corrected_m = m / (1 - std::pow(double(o.beta1), 3));
                 const double corrected_v = v / (1 - std::pow(double(o.beta2), 3));
                 w -= double(o.lr) * ((i < 20 ? double(o.decay) * w : 0.0) +
                                      corrected_m / (std::sqrt(corrected_v) + double(o.eps)));
                 t["value"][i] = w;
               }
             },
             std::tuple{o}, inputs, {DType::bf16});
  }
}

struct Sampled {
  int32_t token;
  float logprob;
};
Sampled sample_one(const std::vector<float>& logits, float u, SamplingOptions options) {
  Sampled result{};
  Stream stream;
  sample(stream, tensor_of(&result.token, {1}), tensor_of(&result.logprob, {1}),
         tensor_of(logits.data(), {1, int64_t(logits.size())}), tensor_of(&u, {1}), options);
  return result;
}

// The definition: sort everything, keep while the preceding mass is <= top_p, take the token at u.
int32_t sample_by_sorting(const std::vector<float>& logits, double u, SamplingOptions o) {
  std::vector<std::pair<double, int32_t>> order;
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    order.emplace_back(-std::exp(double(logits[i]) / double(o.temperature)), int32_t(i));
    total -= order.back().first;
  }
  std::sort(order.begin(), order.end());
  double kept = 0;
  size_t count = 0;
  while (count < order.size() && kept <= double(o.top_p) * total) kept -= order[count++].first;
  double running = 0;
  for (size_t i = 0; i < count; ++i)
    if ((running -= order[i].first) > u * kept) return order[i].second;
  return order[count - 1].second;
}

TEST(Sampling, AgreesWithSortingEverything) {
  Random random(4, RandomUse::test);
  int different = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<float> logits(1 + random.below(400));
    const float spread = random.uniform(0.1f, 12.0f);
    for (float& x : logits) x = spread * random.normal();
    const SamplingOptions options{random.uniform(0.3f, 1.5f),
                                  round % 5 == 0 ? 1.0f : random.uniform(0.05f, 1.0f)};
    const float u = random.uniform();
    different +=
        sample_one(logits, u, options).token != sample_by_sorting(logits, double(u), options);
  }
  // fp32 masses against double: a draw within 1e-6 of a border may fall on the other side.
  EXPECT_LE(different, 2);
}

TEST(Sampling, TemperatureZeroTakesTheFirstLargest) {
  const auto result = sample_one({1, 3, 3, 2}, 0.99f, {.temperature = 0});
  EXPECT_EQ(result.token, 1);
  const double sum = std::exp(-2.0) + 1 + 1 + std::exp(-1.0);
  EXPECT_NEAR(result.logprob, -std::log(sum), 1e-6);
}

TEST(Sampling, FrequenciesFollowTheDistribution) {
  const std::vector<float> logits{0, 1, 2, 3};
  std::vector<int> counts(4);
  const int draws = 20000;
  Random random(8, RandomUse::test);
  for (int i = 0; i < draws; ++i)
    ++counts[size_t(sample_one(logits, random.uniform(), {1.0f, 1.0f}).token)];
  double sum = 0, chi_square = 0;
  for (float x : logits) sum += std::exp(double(x));
  for (size_t i = 0; i < 4; ++i) {
    const double expected = draws * std::exp(double(logits[i])) / sum;
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 21.1);  // three degrees of freedom: exceeded by chance once in 10,000 seeds
}

TEST(Sampling, MinusInfinityIsNeverTakenAndNanIsAnError) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (float u : {0.0f, 0.5f, 0.999999f})
    EXPECT_EQ(sample_one({-infinity, 0, -infinity}, u, {1.0f, 1.0f}).token, 1);
  EXPECT_THROW(sample_one({0, std::nanf(""), 1}, 0, {}), Error);
  EXPECT_THROW(sample_one({-infinity, -infinity}, 0, {}), Error);
}

}  // namespace
}  // namespace laclip::test

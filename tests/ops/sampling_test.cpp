#include "kernels/ops/sampling.h"

#include <algorithm>

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

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

TEST(Sampling, Roles) {
  constexpr size_t N = 40, V = 300;
  OpInputs inputs;
  Random random(6, RandomUse::test);
  for (size_t n = 0; n < N; ++n) inputs.given["u"].push_back(double(random.uniform()));
  for (const SamplingOptions options : {SamplingOptions{0, 1}, {0.9f, 0.95f}, {0.7f, 1}})
    check_op(
        sample, {{'N', int64_t(N)}, {'V', int64_t(V)}},
        [=](auto& t) {
          for (size_t n = 0; n < N; ++n) {
            const std::vector<float> logits(t["logits"].begin() + int64_t(n * V),
                                            t["logits"].begin() + int64_t((n + 1) * V));
            const auto best = std::max_element(logits.begin(), logits.end());
            const int32_t token = options.temperature == 0
                                      ? int32_t(best - logits.begin())
                                      : sample_by_sorting(logits, t["u"][n], options);
            double sum = 0;
            for (float x : logits) sum += std::exp(double(x));
            t["token"][n] = token;
            t["logprob"][n] = double(logits[size_t(token)]) - std::log(sum);
          }
        },
        std::tuple{options}, inputs);
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

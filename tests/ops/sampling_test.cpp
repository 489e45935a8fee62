#include "kernels/ops/sampling.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/harness/error_of.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

struct Sampled {
  int32_t token;
  float logprob;
};
// One row; on a GPU a fault of the kernel is an Error here, too.
Sampled sample_one(Device device, const std::vector<float>& logits, float u,
                   SamplingOptions options) {
  Stream stream(device);
  const int64_t V = int64_t(logits.size());
  Guarded row({1, V}, DType::f32, device), random({1}, DType::f32, device);
  row.store(Doubles(logits.begin(), logits.end()));
  random.store({double(u)});
  const Guarded token({1}, DType::i32, device), logprob({1}, DType::f32, device);
  const ProveKernels prove(device);
  sample(stream, token.tensor, logprob.tensor, row.tensor, random.tensor, options);
  stream.synchronize();
  EXPECT_TRUE(token.guards_intact() && logprob.guards_intact());
  return {int32_t(token.load()[0]), float(logprob.load()[0])};
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
  for (Device device : test_devices()) {
    SCOPED_TRACE(name_of(device));
    Random random(4, RandomUse::test);
    int different = 0;
    for (int round = 0; round < (device == Device::cpu ? 3000 : 400); ++round) {
      std::vector<float> logits(1 + random.below(400));
      const float spread = random.uniform(0.1f, 12.0f);
      for (float& x : logits) x = spread * random.normal();
      const SamplingOptions options{random.uniform(0.3f, 1.5f),
                                    round % 5 == 0 ? 1.0f : random.uniform(0.05f, 1.0f)};
      const float u = random.uniform();
      different += sample_one(device, logits, u, options).token !=
                   sample_by_sorting(logits, double(u), options);
    }
    // fp32 masses against double: a draw within 1e-6 of a border may fall on the other side.
    EXPECT_LE(different, 2);
  }
}

// Of many tokens with equal or nearly equal logits the one in the middle is drawn: the lower id first
// among equal ones, whatever the sign of a zero.
TEST(Sampling, OrdersTiesById) {
  struct Case {
    int V;
    float step;  // of one logit to the next
    int period;  // equal logits come back after so many
  };
  for (Device device : test_devices())
    for (const auto& [V, step, period] :
         {Case{1500, 0, 1}, {1500, 0.25f, 2}, {4500, 1e-6f, 3}, {4501, -1e-6f, 4501}}) {
      SCOPED_TRACE(fmt::format("{} {} {}", name_of(device), V, step));
      std::vector<float> logits;
      for (int i = 0; i < V; ++i) logits.push_back(step * float(i % period));
      for (size_t i = 0; i < logits.size(); i += 7)
        if (logits[i] == 0) logits[i] = -0.0f;
      for (const SamplingOptions options : {SamplingOptions{1, 1}, {0.8f, 0.7501f}})
        for (float u : {0.0001f, 0.3003f, 0.8005f, 0.99995f})
          EXPECT_EQ(sample_one(device, logits, u, options).token,
                    sample_by_sorting(logits, double(u), options))
              << u;
    }
}

TEST(Sampling, TemperatureZeroTakesTheFirstLargest) {
  for (Device device : test_devices()) {
    SCOPED_TRACE(name_of(device));
    const auto result = sample_one(device, {1, 3, 3, 2}, 0.99f, {.temperature = 0});
    EXPECT_EQ(result.token, 1);
    const double sum = std::exp(-2.0) + 1 + 1 + std::exp(-1.0);
    EXPECT_NEAR(result.logprob, -std::log(sum), 1e-6);
    EXPECT_EQ(sample_one(device, {-1, -0.0f, 0, -1, -2}, 0.99f, {.temperature = 0}).token, 1);
  }
}

TEST(Sampling, FrequenciesFollowTheDistribution) {
  constexpr size_t V = 4;
  const std::vector<float> logits{0, 1, 2, 3};
  for (Device device : test_devices()) {
    SCOPED_TRACE(name_of(device));
    const size_t N = device == Device::cpu ? 20000 : 2000;
    Stream stream(device);
    Doubles rows, draws;
    Random random(8, RandomUse::test);
    for (size_t n = 0; n < N; ++n) {
      rows.insert(rows.end(), logits.begin(), logits.end());
      draws.push_back(double(random.uniform()));
    }
    Guarded all({int64_t(N), V}, DType::f32, device), u({int64_t(N)}, DType::f32, device);
    all.store(rows);
    u.store(draws);
    const Guarded token({int64_t(N)}, DType::i32, device),
        logprob({int64_t(N)}, DType::f32, device);
    sample(stream, token.tensor, logprob.tensor, all.tensor, u.tensor, {1.0f, 1.0f});
    stream.synchronize();
    std::vector<int> counts(V);
    for (double t : token.load()) ++counts.at(size_t(t));
    double sum = 0, chi_square = 0;
    for (float x : logits) sum += std::exp(double(x));
    for (size_t i = 0; i < V; ++i) {
      const double expected = double(N) * std::exp(double(logits[i])) / sum;
      chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    // Three degrees of freedom: exceeded by chance once in 10,000 seeds.
    EXPECT_LT(chi_square, 21.1);
  }
}

TEST(Sampling, MinusInfinityIsNeverTakenAndNanIsAnError) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (Device device : test_devices()) {
    SCOPED_TRACE(name_of(device));
    for (float u : {0.0f, 0.5f, 0.999999f})
      EXPECT_EQ(sample_one(device, {-infinity, 0, -infinity}, u, {1.0f, 1.0f}).token, 1);
    EXPECT_THROW(sample_one(device, {0, std::nanf(""), 1}, 0, {}), Error);
    EXPECT_THROW(sample_one(device, {0, -std::nanf(""), 1}, 0, {}), Error);
    EXPECT_THROW(sample_one(device, {0, infinity, 1}, 0, {}), Error);
    EXPECT_THROW(sample_one(device, {-infinity, -infinity}, 0, {}), Error);
  }
}

TEST(Sampling, TheFirstBrokenRowIsNamed) {
  constexpr int64_t N = 60, V = 5;
  Guarded logits({N, V}, DType::f32), u({N}, DType::f32);
  Doubles values(size_t(N * V), 0.5);
  for (int64_t n : {7, 8, 30, 59}) values[size_t(n * V + 2)] = std::nan("");
  logits.store(values);
  u.store(Doubles(size_t(N), 0.5));
  const Guarded token({N}, DType::i32), logprob({N}, DType::f32);
  for (int threads : {1, 4}) {
    const TaskSettings one_row_a_task(threads, 1);
    Stream stream;
    EXPECT_THAT(error_of([&] {
                  sample(stream, token.tensor, logprob.tensor, logits.tensor, u.tensor, {});
                }),
                ::testing::HasSubstr("row 7 "));
  }
}

}  // namespace
}  // namespace laclip::test

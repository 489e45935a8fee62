#include "kernels/ops/fill_normal.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

constexpr float kDeviation = 0.02f;
constexpr uint64_t kSeed = 0x123456789abcdefULL;

// Box-Muller in double, of the bits that the header names.
Doubles reference(int64_t count, uint64_t seed) {
  constexpr double kTurn = 6.283185307179586;
  Doubles values;
  for (int64_t i = 0; int64_t(values.size()) < count; ++i) {
    const auto bits = philox4x32({uint32_t(i), 0, 0, 0}, {uint32_t(seed), uint32_t(seed >> 32)});
    for (size_t pair : {0, 2}) {
      const double radius = std::sqrt(-2 * std::log(((bits[pair] >> 8) + 1) * 0x1p-24));
      const double angle = kTurn * ((bits[pair + 1] >> 8) * 0x1p-24);
      values.push_back(double(kDeviation) * radius * std::cos(angle));
      values.push_back(double(kDeviation) * radius * std::sin(angle));
    }
  }
  values.resize(size_t(count));
  return values;
}

TEST(FillNormal, Values) {
  for (int64_t n : {1, 6, 4096, 4099})
    check_op(
        fill_normal, {{'N', n}}, [&](auto& t) { t["y"] = reference(n, kSeed); },
        std::tuple{kDeviation, kSeed});
}

TEST(FillNormal, EveryQuarterOfTheTurnAndTheEndsOfTheRadius) {
  for (uint32_t radius : {0u, 0x100u, 0x7fffffffu, 0xb504f300u, 0xb5050000u, 0xffffffffu})
    for (uint32_t angle = 0; angle < 64; ++angle) {
      const NormalPair pair = normal_pair(radius, angle << 26);
      const double r = std::sqrt(-2 * std::log(((radius >> 8) + 1) * 0x1p-24));
      const double turn = 6.283185307179586 * angle / 64;
      EXPECT_NEAR(pair.first, r * std::cos(turn), 1e-6) << radius << " " << angle;
      EXPECT_NEAR(pair.second, r * std::sin(turn), 1e-6) << radius << " " << angle;
    }
}

TEST(FillNormal, BothDevicesGiveTheSameBits) {
  for (DType type : {DType::f32, DType::bf16}) {
    std::string first;
    for (Device device : test_devices()) {
      Guarded y({10001}, type, device);
      Stream stream(device);
      fill_normal(stream, y.tensor, kDeviation, kSeed);
      stream.synchronize();
      if (first.empty()) first = y.bits();
      EXPECT_TRUE(y.bits() == first) << name_of(type);
    }
  }
}

// A shorter tensor has the beginning of a longer one; another seed has other numbers.
TEST(FillNormal, AnElementDependsOnItsIndexAndTheSeed) {
  const auto drawn = [](int64_t count, uint64_t seed) {
    Guarded y({count}, DType::f32, Device::cpu);
    Stream stream;
    fill_normal(stream, y.tensor, 1.0f, seed);
    return y.load();
  };
  const Doubles all = drawn(100, 7), some = drawn(37, 7), others = drawn(100, uint64_t(7) << 32);
  EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()));
  int same = 0;
  for (size_t i = 0; i < all.size(); ++i) same += all[i] == others[i];
  EXPECT_EQ(same, 0);
}

// 2²⁰ draws: each moment within five standard errors of a standard normal's.
TEST(FillNormal, Moments) {
  constexpr int64_t kCount = 1 << 20;
  Guarded y({kCount}, DType::f32, Device::cpu);
  Stream stream;
  fill_normal(stream, y.tensor, 1.0f, 1);
  double moments[5] = {}, neighbours = 0, before = 0;
  for (const double z : y.load()) {
    double power = 1;
    for (double& moment : moments) moment += power / double(kCount), power *= z;
    neighbours += before * z / double(kCount);
    before = z;
  }
  const double error = 5 / std::sqrt(double(kCount));
  EXPECT_NEAR(moments[1], 0, error);
  EXPECT_NEAR(moments[2], 1, error * std::sqrt(2.0));
  EXPECT_NEAR(moments[3], 0, error * std::sqrt(15.0));
  EXPECT_NEAR(moments[4], 3, error * std::sqrt(96.0));
  EXPECT_NEAR(neighbours, 0, error);
}

}  // namespace
}  // namespace laclip::test

// Parameters and the learning-rate schedule.
#include "engine/parameter.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/check.h"
#include "engine/schedule.h"

namespace laclip {
namespace {

TEST(Schedule, WarmsUpAndFollowsTheCosine) {
  const Schedule schedule{.start = 0, .peak = 1, .end = 0.1, .warmup = 10, .steps = 110};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.1);
  EXPECT_DOUBLE_EQ(schedule.at(9), 1);
  EXPECT_DOUBLE_EQ(schedule.at(10), 1);
  EXPECT_NEAR(schedule.at(60), 0.55, 1e-12);
  EXPECT_NEAR(schedule.at(110), 0.1, 1e-12);
  for (int64_t step = 11; step < 110; ++step) EXPECT_LT(schedule.at(step), schedule.at(step - 1));
  const Schedule constant{.peak = 2, .warmup = 0, .steps = 5, .cosine = false};
  EXPECT_EQ(constant.at(4), 2);
}

TEST(ParameterSet, DrawsDependOnSeedAndNameAlone) {
  const auto draw = [](bool another, uint64_t seed) {
    ParameterSet set;
    if (another) set.add("first", {5, 5}, Decay::yes, Normal{1});
    const Parameter& p = set.add("w", {40, 50}, Decay::yes, TruncatedNormal{0.5f});
    set.allocate(DType::f32, Training::no);
    set.initialize(seed);
    return std::vector<float>(p.value.as<float>(), p.value.as<float>() + p.value.elements());
  };
  EXPECT_EQ(draw(false, 1), draw(true, 1));
  EXPECT_NE(draw(false, 1), draw(false, 2));
  double squares = 0;
  for (float v : draw(false, 1)) squares += double(v * v);
  EXPECT_NEAR(std::sqrt(squares / 2000), 0.5, 0.03);
}

TEST(ParameterSet, DecayedOnesComeFirstAndValuesFollowMasters) {
  ParameterSet set;
  const Parameter& bias = set.add("bias", {3}, Decay::no, Constant{1});
  const Parameter& weight = set.add("weight", {2, 3}, Decay::yes, Constant{2});
  const Parameter& scale = set.add("scale", {}, Decay::no, Constant{1.00001f}, true);
  EXPECT_THROW(set.add("bias", {3}, Decay::no, Constant{}), Error);
  set.allocate(DType::bf16, Training::yes);
  set.initialize(0);
  EXPECT_EQ(weight.value.dtype, DType::bf16);
  EXPECT_EQ(scale.value.dtype, DType::f32);
  EXPECT_EQ(scale.value.as<float>()[0], 1.00001f);
  const float* begin = set.masters().as<float>();
  EXPECT_LT(weight.master.as<float>() - begin, set.decayed());
  EXPECT_GE(bias.master.as<float>() - begin, set.decayed());
  weight.master.as<float>()[4] = 7;
  Stream stream;
  set.refresh_values(stream);
  EXPECT_EQ(float(weight.value.as<bf16>()[4]), 7);
  EXPECT_EQ(set.find("weight"), &weight);
  EXPECT_EQ(set.find("none"), nullptr);
  EXPECT_THROW(set.assign(weight, tensor_of(begin, {5})), Error);
}

}  // namespace
}  // namespace laclip

// CLIP against PyTorch (tests/golden/make_clip.py), and its behaviour in training.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/philox.h"
#include "kernels/core/cuda_runtime.h"
#include "tests/harness/guard_device_memory.h"
#include "tests/models/clip_golden.h"

namespace laclip {
namespace {

using test::Golden, test::relative_l2;

double norm_of(const Tensor& on_any_device) {
  const HostCopy host(on_any_device);
  const Tensor& x = host.tensor();
  double squares = 0;
  for (int64_t i = 0; i < x.elements(); ++i)
    squares += double(x.as<float>()[i]) * double(x.as<float>()[i]);
  return std::sqrt(squares);
}

// The ranges of a parameter that training determines. Adam divides a gradient by its own size, so
// the rounding that stands for the zero gradient of a key bias moves it at random, here and in
// PyTorch.
std::vector<std::pair<int64_t, int64_t>> parts_without_key_bias(const Parameter& p) {
  if (p.name.ends_with("k_norm.bias") || p.shape.rank == 0) return {};
  if (!p.name.ends_with("in_proj_bias")) return {{0, p.shape[0]}};
  const int64_t C = p.shape[0] / 3;
  return {{0, C}, {2 * C, C}};
}

// Of the norm of all gradients: below it a parameter's gradient counts as zero.
constexpr double kLeastShare = 1e-3;

// Each form of the model on each device.
class ClipGolden : public testing::TestWithParam<std::tuple<const char*, Device>> {
 protected:
  const char* form() const { return std::get<0>(GetParam()); }
  Device device() const { return std::get<1>(GetParam()); }
};

TEST_P(ClipGolden, ParametersAreThoseOfTheReference) {
  const Golden golden(form());
  Clip model(golden.config, DType::f32, Training::yes, 0);
  size_t weights = 0;
  for (const auto& [name, entry] : golden.file.entries()) weights += name.starts_with("w.");
  EXPECT_EQ(model.parameters().list().size(), weights);
  for (const Parameter& p : model.parameters().list())
    EXPECT_EQ(golden.file.tensor("w." + p.name).shape, p.shape) << p.name;
}

TEST_P(ClipGolden, FeaturesLossAndEveryGradient) {
  const Golden golden(form());
  Clip model(golden.config, DType::f32, Training::yes, 0, device());
  golden.load(model);
  ClipTrainer trainer(model, 6, 6);
  const float loss = trainer.compute_gradients(golden.batch).loss;
  const double want = golden.file.tensor("loss").as<double>()[0];
  EXPECT_NEAR(double(loss) / want, 1, 1e-6);
  const double least = kLeastShare * norm_of(model.parameters().gradients());
  for (const Parameter& p : model.parameters().list())
    EXPECT_LE(relative_l2(p.gradient, golden.file.tensor("g." + p.name), least), 1e-4) << p.name;

  Stream stream(device());
  Arena arena("test", 64 << 20, device());
  Step step{stream, arena};
  Buffer memory("features", 6 * golden.config.embed * 4, device());
  const Tensor features = memory.tensor({6, golden.config.embed}, DType::f32);
  model.encode_images(step, golden.batch.images, features);
  EXPECT_LE(relative_l2(features, golden.file.tensor("image")), 1e-5);
  TextBatch texts;
  for (const auto& caption : golden.batch.captions) texts.add(caption);
  model.encode_texts(step, texts.on_device(step), features);
  EXPECT_LE(relative_l2(features, golden.file.tensor("text")), 1e-5);
}

TEST_P(ClipGolden, FiveStepsOfAdamw) {
  const Golden golden(form());
  Clip model(golden.config, DType::f32, Training::yes, 0, device());
  golden.load(model);
  ClipTrainer trainer(model, 6, 6);
  // The goldens' eps: with a smaller one a gradient that is zero within rounding moves its weight.
  const OptimizerOptions options{.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-5, .decay = 0.5};
  for (int64_t step = 1; step <= 5; ++step) {
    const float loss = trainer.compute_gradients(golden.batch).loss;
    const double tolerance = step == 1 ? 1e-6 : 1e-5;
    EXPECT_NEAR(double(loss) / golden.file.tensor("losses").as<double>()[step - 1], 1, tolerance);
    trainer.apply(options, 1e-3, step);
  }
  EXPECT_NEAR(model.logit_scale(), golden.file.tensor("s.logit_scale").as<float>()[0], 1e-5);
  for (const Parameter& p : model.parameters().list())
    for (const auto& [begin, count] : parts_without_key_bias(p))
      EXPECT_LE(relative_l2(p.master.rows(begin, count),
                            golden.file.tensor("s." + p.name).rows(begin, count)),
                1e-4)
          << p.name;
}

// Two micro-batches of three, and five of one and less: the same gradients as the batch of six.
TEST_P(ClipGolden, MicroBatchesGiveTheFullBatch) {
  const Golden golden(form());
  Clip whole(golden.config, DType::f32, Training::yes, 0, device()),
      parts(golden.config, DType::f32, Training::yes, 0, device());
  golden.load(whole);
  golden.load(parts);
  ClipTrainer whole_trainer(whole, 6, 6);
  const float loss = whole_trainer.compute_gradients(golden.batch).loss;
  for (int64_t micro : {1, 3, 4}) {
    ClipTrainer trainer(parts, 6, micro);
    EXPECT_FLOAT_EQ(trainer.compute_gradients(golden.batch).loss, loss);
    const double least = kLeastShare * norm_of(whole.parameters().gradients());
    for (const Parameter& p : parts.parameters().list())
      EXPECT_LE(relative_l2(p.gradient, whole.parameters().find(p.name)->gradient, least), 1e-5)
          << p.name;
  }
}

TEST_P(ClipGolden, Bf16IsCloseAndLearns) {
  const Golden golden(form());
  Clip model(golden.config, DType::bf16, Training::yes, 0, device());
  golden.load(model);
  ClipTrainer trainer(model, 6, 6);
  float loss = trainer.compute_gradients(golden.batch).loss;
  EXPECT_NEAR(loss, golden.file.tensor("loss").as<double>()[0], 0.05);
  for (int64_t step = 1; step <= 60; ++step) {
    loss = trainer.compute_gradients(golden.batch).loss;
    trainer.apply({.decay = 0}, 2e-3, step);
  }
  EXPECT_LT(loss, 0.1);  // one batch, learned by heart
}

INSTANTIATE_TEST_SUITE_P(Forms, ClipGolden,
                         testing::Combine(testing::Values("clip_open_clip", "clip_laclip"),
                                          testing::Values(Device::cpu, Device::cuda)),
                         [](const auto& variant) {
                           return fmt::format("{}_{}", std::get<0>(variant.param),
                                              name_of(std::get<1>(variant.param)));
                         });

TEST(Clip, FiveStepsAreTheSameOnBothDevices) {
  const Golden golden("clip_laclip");
  Clip cpu(golden.config, DType::f32, Training::yes, 5),
      cuda(golden.config, DType::f32, Training::yes, 5, Device::cuda);
  EXPECT_EQ(relative_l2(cuda.parameters().masters(), cpu.parameters().masters()), 0) << "the start";
  for (Clip* model : {&cpu, &cuda}) {
    ClipTrainer trainer(*model, 6, 3);
    for (int64_t step = 1; step <= 5; ++step) {
      trainer.compute_gradients(golden.batch);
      trainer.apply({.eps = 1e-5, .decay = 0.2, .max_norm = 1}, 1e-3, step);
    }
  }
  EXPECT_LE(relative_l2(cuda.parameters().masters(), cpu.parameters().masters()), 1e-5);
}

// Pairs change from step to step, and the number of tokens a little.
TEST(Clip, AStepsGraphGivesWhatItsOpsGive) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  const Golden golden("clip_open_clip");
  Clip model(golden.config, DType::f32, Training::yes, 5, Device::cuda);
  const auto gradients = [&](ClipTrainer& trainer, const ClipBatch& batch) {
    trainer.compute_gradients(batch);
    const HostCopy host(model.parameters().gradients());
    return std::string(static_cast<const char*>(host.tensor().data), size_t(host.tensor().bytes()));
  };
  for (int64_t micro : {6, 4}) {
    ClipTrainer trainer(model, 6, micro);
    for (int step = 0; step < 5; ++step) {
      ClipBatch batch = golden.batch;
      std::vector<uint8_t> pixels(batch.images.as<uint8_t>(),
                                  batch.images.as<uint8_t>() + batch.images.bytes());
      std::rotate(pixels.begin(), pixels.begin() + 100 * step, pixels.end());
      batch.images.data = pixels.data();
      std::rotate(batch.captions.begin(), batch.captions.begin() + step, batch.captions.end());
      auto& caption = batch.captions[0];
      if (step % 2 == 1 && caption.size() > 3) caption.erase(caption.begin() + 1);
      ClipTrainer first(model, 6, micro);
      EXPECT_TRUE(gradients(trainer, batch) == gradients(first, batch)) << micro << ' ' << step;
      EXPECT_EQ(first.graph_launches(), 0);
    }
    EXPECT_GT(trainer.graph_launches(), 0) << micro;
  }
}

TEST(Clip, OverfitsOneBatch) {
  const Golden golden("clip_open_clip");
  Clip model(golden.config, DType::f32, Training::yes, 7);
  ClipTrainer trainer(model, 6, 6);
  float loss = 0;
  for (int64_t step = 1; step <= 80; ++step) {
    loss = trainer.compute_gradients(golden.batch).loss;
    trainer.apply({.decay = 0}, 2e-3, step);
  }
  EXPECT_LT(loss, 0.05);
}

TEST(Clip, InitialisationFollowsSeedAndName) {
  const Golden golden("clip_open_clip");
  Clip a(golden.config, DType::f32, Training::no, 1), b(golden.config, DType::f32, Training::no, 1),
      c(golden.config, DType::f32, Training::no, 2);
  const char* name = "visual.proj";
  auto bits = [&](Clip& model) {
    const Tensor w = model.parameters().find(name)->value;
    return std::string(static_cast<const char*>(w.data), size_t(w.bytes()));
  };
  EXPECT_EQ(bits(a), bits(b));
  EXPECT_NE(bits(a), bits(c));
  EXPECT_FLOAT_EQ(a.logit_scale(), 2.6592600f);
}

}  // namespace
}  // namespace laclip

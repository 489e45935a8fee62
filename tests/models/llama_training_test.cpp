// Training a LLaMA, against transformers (tests/golden/make_llama_training.py).
#include <gtest/gtest.h>

#include <cmath>

#include "engine/safetensors.h"
#include "models/llama_import.h"
#include "models/llama_trainer.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

const fs::path kGolden = test::source_dir() / "tests/golden";

// ‖got - want‖ / ‖want‖
double relative_l2(const Tensor& got, const Tensor& want) {
  const HostCopy host(got);
  double difference = 0, scale = 0;
  for (int64_t i = 0; i < want.elements(); ++i) {
    const double g = double(host.tensor().as<float>()[i]), w = double(want.as<float>()[i]);
    difference += (g - w) * (g - w);
    scale += w * w;
  }
  return std::sqrt(difference / scale);
}

std::vector<LlamaBatch> batch_of(const Tensor& ids, int64_t parts = 1) {
  std::vector<LlamaBatch> batches{size_t(parts)};
  for (int64_t b = 0; b < ids[0]; ++b)
    batches[size_t(b % parts)].add({ids.as<int32_t>() + b * ids[1], size_t(ids[1])});
  return batches;
}

struct LlamaTraining : testing::TestWithParam<std::tuple<const char*, Device>> {
  const fs::path folder = kGolden / std::get<0>(GetParam());
  const SafetensorsFile golden{folder / "training.safetensors"};
  const Tensor ids = golden.tensor("ids");
  const std::unique_ptr<Llama> model =
      load_llama(folder, DType::f32, Training::yes, std::get<1>(GetParam()));
};

TEST_P(LlamaTraining, LossAndEveryGradient) {
  LlamaTrainer trainer(*model, ids.elements());
  const float loss = trainer.compute_gradients(batch_of(ids)).loss;
  EXPECT_NEAR(loss, golden.tensor("losses").as<double>()[0], 1e-6);
  EXPECT_EQ(trainer.loss(batch_of(ids)), loss);
  for (const Parameter& p : model->parameters().list())
    EXPECT_LE(relative_l2(p.gradient, golden.tensor("g." + p.name)), 1e-4) << p.name;
}

TEST_P(LlamaTraining, FiveStepsOfAdamw) {
  LlamaTrainer trainer(*model, ids.elements());
  const double* hyper = golden.tensor("hyper").as<double>();
  const OptimizerOptions options{hyper[1], hyper[2], hyper[3], hyper[4]};
  for (int step = 1; step <= 5; ++step) {
    const float loss = trainer.compute_gradients(batch_of(ids)).loss;
    EXPECT_NEAR(loss, golden.tensor("losses").as<double>()[step - 1], 2e-6) << "step " << step;
    trainer.apply(options, hyper[0], step);
  }
  for (const Parameter& p : model->parameters().list())
    EXPECT_LE(relative_l2(p.master, golden.tensor("s." + p.name)), 1e-4) << p.name;
}

TEST_P(LlamaTraining, PartsGiveTheWholeBatch) {
  LlamaTrainer trainer(*model, ids.elements());
  const float whole = trainer.compute_gradients(batch_of(ids)).loss;
  const HostCopy before(model->parameters().gradients());
  std::vector<float> gradients(before.tensor().as<float>(),
                               before.tensor().as<float>() + before.tensor().elements());
  const float parts = trainer.compute_gradients(batch_of(ids, 2)).loss;
  EXPECT_NEAR(whole, parts, 1e-6);
  const Tensor want = tensor_of(gradients.data(), {int64_t(gradients.size())});
  EXPECT_LE(relative_l2(model->parameters().gradients(), want), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Folders, LlamaTraining,
                         testing::Combine(testing::Values("llama_grouped", "llama_tied"),
                                          testing::Values(Device::cpu, Device::cuda)),
                         [](const auto& variant) {
                           return fmt::format("{}_{}", std::get<0>(variant.param),
                                              name_of(std::get<1>(variant.param)));
                         });

LlamaConfig tiny_config() {
  LlamaConfig c;
  c.width = 64, c.mlp_width = 96, c.layers = 2, c.heads = 4, c.key_heads = 2, c.head_size = 16;
  c.vocabulary = 64, c.max_length = 32, c.tied = true;
  return c;
}

TEST(LlamaTrainer, LearnsADocumentByHeartInBothPrecisions) {
  const std::vector<int32_t> document{1, 5, 9, 5, 12, 3, 60, 61, 9, 9, 2};
  for (DType type : {DType::f32, DType::bf16}) {
    Llama model(tiny_config(), type, Training::yes);
    model.parameters().initialize(0);
    LlamaTrainer trainer(model, 16);
    LlamaBatch batch;
    batch.add(document);
    const float first = trainer.loss({&batch, 1});
    EXPECT_NEAR(first, std::log(64.0), 0.2) << "the first prediction should be near uniform";
    for (int step = 1; step <= 60; ++step) {
      trainer.compute_gradients({&batch, 1});
      trainer.apply({.beta2 = 0.95, .decay = 0}, 5e-3, step);
    }
    EXPECT_LT(trainer.loss({&batch, 1}), 0.05) << name_of(type);
  }
}

TEST(LlamaTrainer, TargetsOfThePromptDoNotCount) {
  const std::vector<int32_t> document{1, 5, 9, 5, 12};
  LlamaBatch batch;
  batch.add(document, 3);
  EXPECT_EQ(batch.rows(), 4);
  EXPECT_EQ(batch.counted(), 2);
  EXPECT_EQ(batch.targets, (std::vector<int32_t>{-1, -1, 5, 12}));
}

}  // namespace
}  // namespace laclip

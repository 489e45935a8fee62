// What `laclip plan` tells of the memory of a training step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "kernels/core/cuda_runtime.h"
#include "models/clip_trainer.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using ::testing::HasSubstr;

constexpr const char* kModel = "ViT-T-8-tiny";

Json plan(std::vector<std::string> options) {
  options.insert(options.begin(), {"plan", "--json", "--model", kModel});
  const test::Outcome done = test::run(options);
  EXPECT_EQ(done.code, 0) << done.err;
  return parse_json(done.out, "plan");
}

TEST(Plan, TheLargestBatchIsTheLastThatFits) {
  const int64_t memory = int64_t(2) << 30;
  const int64_t largest = plan({"--memory", "2G"})["largest_batch"].get<int64_t>();
  const auto total = [](int64_t batch) {
    const Json json = plan({"--batch-size", std::to_string(batch)});
    int64_t sum = 0;
    for (const auto& row : json["bytes"]) sum += row.get<int64_t>();
    EXPECT_EQ(json["total"].get<int64_t>(), sum);
    return sum;
  };
  EXPECT_LE(total(largest), memory);
  EXPECT_GT(total(largest + 1), memory);
  EXPECT_EQ(plan({"--memory", "1M"})["largest_batch"], 0);
}

TEST(Plan, ThePrecisionIsTheOneThatTrainingTakes) {
  EXPECT_EQ(plan({"--device", "cpu"})["precision"], "fp32");
  EXPECT_EQ(plan({"--device", "cuda"})["precision"], "bf16");
  EXPECT_EQ(plan({"--device", "cuda", "--precision", "fp32"})["precision"], "fp32");
  EXPECT_TRUE(plan({"--device", "cuda"})["bytes"].contains("weights (bf16)"));
}

TEST(Plan, TrainingTakesNoMore) {
  const int64_t batch = 8, before = cuda_memory().free;
  const Json planned = plan({"--batch-size", std::to_string(batch), "--precision", "bf16"});
  const ClipConfig config = load_clip_config(kModel);
  Clip model(config, DType::bf16, Training::yes, 1, Device::cuda);
  ClipTrainer trainer(model, batch, batch);
  const std::vector<uint8_t> pixels(size_t(image_bytes(config, batch)), 100);
  const Tensor images{const_cast<uint8_t*>(pixels.data()),
                      {batch, config.image_size, config.image_size, 3},
                      DType::u8,
                      Device::cpu};
  const std::vector<int32_t> longest(size_t(config.context_length), 7);
  for (int64_t step = 1; step <= 3; ++step) {
    trainer.compute_gradients(
        {.images = images, .crops = {}, .captions = {size_t(batch), longest}});
    trainer.apply({}, 1e-3, step);
  }
  const int64_t taken = before - cuda_memory().free, total = planned["total"].get<int64_t>(),
                allowance = planned["bytes"]["allowance for ops"].get<int64_t>();
  EXPECT_LE(taken, total);
  for (const Parameter& parameter : model.parameters().list())
    EXPECT_GE(allowance, (int64_t(256) << 20) + 4 * parameter.shape.elements()) << parameter.name;
  EXPECT_GE(taken, total - allowance - total / 10);  // the rest of the plan is no guess
}

TEST(Plan, WrongMemoryIsAUsageError) {
  const test::Outcome done = test::run({"plan", "--memory", "80X"});
  EXPECT_EQ(done.code, 2);
  EXPECT_THAT(done.err, HasSubstr("--memory 80X"));
}

}  // namespace
}  // namespace laclip

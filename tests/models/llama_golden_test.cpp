// LLaMA in Hugging Face folders, against logits of transformers (tests/golden/make_llama.py).
#include <gtest/gtest.h>

#include <cmath>

#include "engine/safetensors.h"
#include "models/llama_generator.h"
#include "models/llama_import.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

const fs::path kGolden = test::source_dir() / "tests/golden";

class LlamaGolden : public testing::TestWithParam<std::tuple<const char*, Device>> {};

TEST_P(LlamaGolden, LogitsAtEveryPosition) {
  const auto& [folder, device] = GetParam();
  const auto model = load_llama(kGolden / folder, DType::f32, Training::no, device);
  GeneratorOptions options;
  options.slots = 2;
  options.max_rows = 16;  // a prompt of 40 takes three calls
  options.max_own_tokens = 64;
  options.max_prefix_tokens = 0;
  options.max_new_tokens = 1;
  LlamaGenerator generator(*model, options);
  const SafetensorsFile golden(kGolden / folder / "golden.safetensors");
  const Tensor ids = golden.tensor("ids"), logits = golden.tensor("logits");
  double difference = 0, scale = 0;
  for (int64_t b = 0; b < ids[0]; ++b) {
    const int32_t* row = ids.as<int32_t>() + b * ids[1];
    const auto got = generator.prompt_logits({row, row + ids[1]});
    const float* want = logits.as<float>() + b * ids[1] * logits[2];
    ASSERT_EQ(int64_t(got.size()), ids[1] * logits[2]);
    for (size_t i = 0; i < got.size(); ++i) {
      difference += double(got[i] - want[i]) * double(got[i] - want[i]);
      scale += double(want[i]) * double(want[i]);
    }
  }
  ASSERT_GT(scale, 0);
  EXPECT_LE(std::sqrt(difference / scale), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Folders, LlamaGolden,
                         testing::Combine(testing::Values("llama_grouped", "llama_tied"),
                                          testing::Values(Device::cpu, Device::cuda)),
                         [](const auto& variant) {
                           return fmt::format("{}_{}", std::get<0>(variant.param),
                                              name_of(std::get<1>(variant.param)));
                         });

}  // namespace
}  // namespace laclip

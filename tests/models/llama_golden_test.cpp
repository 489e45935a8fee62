// LLaMA in Hugging Face folders, against logits of transformers (tests/golden/make_llama.py).
#include <gtest/gtest.h>

#include <cmath>

#include "base/check.h"
#include "engine/safetensors.h"
#include "models/llama_generator.h"
#include "models/llama_import.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

const fs::path kGolden = fs::path(LACLIP_SOURCE_DIR) / "tests/golden";

class LlamaGolden : public testing::TestWithParam<const char*> {};

TEST_P(LlamaGolden, LogitsAtEveryPosition) {
  const auto model = load_llama(kGolden / GetParam(), DType::f32);
  GeneratorOptions options;
  options.slots = 2;
  options.max_rows = 16;  // a prompt of 40 takes three calls
  options.max_own_tokens = 64;
  options.max_prefix_tokens = 0;
  options.max_new_tokens = 1;
  LlamaGenerator generator(*model, options);
  const SafetensorsFile golden(kGolden / GetParam() / "golden.safetensors");
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

INSTANTIATE_TEST_SUITE_P(Folders, LlamaGolden, testing::Values("llama_grouped", "llama_tied"),
                         [](const auto& folder) { return std::string(folder.param); });

std::string load_error(const fs::path& path) {
  try {
    load_llama(path, DType::f32);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(LlamaFolder, DefectsAreNamed) {
  test::TemporaryFolder temporary;
  const fs::path folder = temporary / "model";
  const auto fresh = [&] {
    fs::remove_all(folder);
    fs::copy(kGolden / "llama_grouped", folder);
  };
  const auto with_config = [&](const std::string& from, const std::string& to) {
    fresh();
    std::string text = read_text(folder / "config.json");
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    write_atomically(folder / "config.json", text.replace(at, from.size(), to));
    return load_error(folder);
  };
  const auto expect_named = [](const std::string& error, const std::string& part) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  };
  expect_named(with_config("\"hidden_size\": 32", "\"hidden_size\": 36"),
               "but config.json makes it");
  expect_named(with_config("\"hidden_size\": 32", "\"hidden_size\": -1"), "zero or negative");
  expect_named(with_config("\"hidden_size\": 32", "\"width\": 32"), "'hidden_size'");
  expect_named(with_config("\"silu\"", "\"gelu\""), "'silu' is needed");
  expect_named(with_config("\"model_type\": \"llama\"", "\"model_type\": \"mistral\""), "mistral");
  expect_named(with_config("\"attention_bias\": false", "\"attention_bias\": true"),
               "attention_bias");
  expect_named(with_config("{", "{{"), "config.json");
  expect_named(with_config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"), "is missing");
  fresh();
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("model-00001")) continue;
    fs::resize_file(entry.path(), entry.file_size() / 2);
    expect_named(load_error(folder), "model-00001");
    fs::remove(entry.path());
    expect_named(load_error(folder), "model-00001");
    break;
  }
}

}  // namespace
}  // namespace laclip

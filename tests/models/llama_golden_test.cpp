// LLaMA in Hugging Face folders, against logits of transformers (tests/golden/make_llama.py).
#include <gtest/gtest.h>

#include <cmath>

#include "base/check.h"
#include "engine/safetensors.h"
#include "models/llama_generator.h"
#include "models/llama_import.h"
#include "tests/harness/error_of.h"
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

std::string load_error(const fs::path& path) {
  return test::error_of([&] { load_llama(path, DType::f32); });
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
  expect_named(with_config("\"eos_token_id\": 2", "\"eos_token_id\": \"x\""), "'eos_token_id'");
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

TEST(LlamaFolder, EndTokensAreOneOrMany) {
  Json json = read_json(kGolden / "llama_grouped/config.json");
  const auto ends = [&] { return parse_llama_config(json, "c").end_tokens; };
  EXPECT_EQ(ends(), std::vector<int32_t>{2});
  json["eos_token_id"] = {2, 5};
  EXPECT_EQ(ends(), (std::vector<int32_t>{2, 5}));
  json["eos_token_id"] = Json::array();
  EXPECT_TRUE(ends().empty());
}

// A tensor that is not used would change what the model computes.
TEST(LlamaFolder, ATensorWithoutAPlaceIsAnError) {
  test::TemporaryFolder temporary;
  const SafetensorsFile whole(kGolden / "llama_tied/model.safetensors");
  const auto with = [&](const std::string& extra) {
    const fs::path folder = temporary / extra;
    make_folders(folder);
    fs::copy(kGolden / "llama_tied/config.json", folder);
    std::vector<NamedTensor> tensors;
    for (const auto& [name, entry] : whole.entries()) tensors.push_back({name, whole.tensor(name)});
    tensors.push_back({extra, whole.tensor("model.norm.weight")});
    write_safetensors(folder / "model.safetensors", tensors);
    return load_error(folder);
  };
  EXPECT_NE(with("model.layers.0.self_attn.q_proj.bias")
                .find("'model.layers.0.self_attn.q_proj.bias' has no place"),
            std::string::npos);
  EXPECT_EQ(with("model.layers.0.self_attn.rotary_emb.inv_freq"), "no error");
  EXPECT_EQ(with("lm_head.weight"), "no error") << "the embedding stands for it";
}

// In the file's own type, weights that are not joined to others are read where they are mapped.
TEST(LlamaFolder, WeightsStayInTheMappedFile) {
  const auto mapped = [](DType type, const std::string& name) {
    const auto model = load_llama(kGolden / "llama_tied", type);
    const ParameterSet& parameters = model->parameters();
    const Tensor all = type == DType::bf16 ? parameters.values() : parameters.masters();
    const auto* begin = static_cast<const std::byte*>(all.data);
    const auto* at = static_cast<const std::byte*>(parameters.find(name)->value.data);
    return at < begin || at >= begin + all.bytes();
  };
  EXPECT_TRUE(mapped(DType::bf16, "model.embed_tokens.weight"));
  EXPECT_TRUE(mapped(DType::bf16, "model.layers.1.mlp.down_proj.weight"));
  EXPECT_FALSE(mapped(DType::bf16, "model.layers.1.mlp.up_proj.weight"));
  EXPECT_FALSE(mapped(DType::bf16, "model.layers.0.self_attn.q_proj.weight"));
  EXPECT_FALSE(mapped(DType::f32, "model.embed_tokens.weight"));
}

}  // namespace
}  // namespace laclip

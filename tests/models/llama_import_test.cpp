// What is told of a LLaMA's files: Hugging Face folders and llama2.c models, sound and broken.
#include "models/llama_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/safetensors.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path kGolden = test::source_dir() / "tests/golden";

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
    EXPECT_THAT(error, AllOf(HasSubstr(part), Not(HasSubstr("\n"))));
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
  EXPECT_THAT(with("model.layers.0.self_attn.q_proj.bias"),
              HasSubstr("'model.layers.0.self_attn.q_proj.bias' has no place"));
  EXPECT_EQ(with("model.layers.0.self_attn.rotary_emb.inv_freq"), "");
  EXPECT_EQ(with("lm_head.weight"), "") << "the embedding stands for it";
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

TEST(Llama2c, DefectsAreNamed) {
  LACLIP_REFERENCE_DATA("stories260k");
  test::TemporaryFolder folder;
  EXPECT_THAT(load_error(folder / "none.bin"), HasSubstr("there is no such model"));
  std::string good = read_text(test::reference_data("stories260k/stories260K.bin"));
  write_atomically(folder / "cut.bin", good.substr(0, good.size() / 2));
  EXPECT_THAT(load_error(folder / "cut.bin"), HasSubstr("cut off"));
  std::string nan = good;
  for (size_t i = 0; i < 4; ++i) nan[28 + 400 + i] = char(0xff);
  write_atomically(folder / "nan.bin", nan);
  EXPECT_THAT(load_error(folder / "nan.bin"), HasSubstr("'model.embed_tokens.weight' holds NaN"));
  write_atomically(folder / "text.bin", std::string(1000, 'x'));
  EXPECT_THAT(load_error(folder / "text.bin"), HasSubstr("neither a llama2.c model"));
  EXPECT_THAT(load_error(folder.path()), HasSubstr("config.json is missing"));
}

}  // namespace
}  // namespace laclip

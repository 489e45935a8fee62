#include "models/clip_config.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "tests/harness/error_of.h"

namespace laclip {
namespace {

using test::error_of;

TEST(ClipConfig, PresetsAreSound) {
  for (const std::string& name : clip_presets()) EXPECT_NO_THROW(load_clip_config(name)) << name;
  EXPECT_EQ(load_clip_config("ViT-B-32").vision.heads, 12);
  EXPECT_TRUE(load_clip_config("CLIP_VITB16").vision.qk_norm);
  EXPECT_EQ(load_clip_config("ViT-L-14-quickgelu").text.activation, Activation::quick_gelu);
}

TEST(ClipConfig, ImpossibleSizesAreNamed) {
  const auto with = [](const char* part, const char* field, const Json& value) {
    Json json = load_clip_config("ViT-B-32").json;
    (*part ? json[part] : json)[field] = value;
    return error_of([&] { parse_clip_config(json, "c.json"); });
  };
  const auto named = [&](const char* part, const char* field, const Json& value) {
    const std::string error = with(part, field, value),
                      want = fmt::format("field '{}' is {};", field, value.dump());
    EXPECT_NE(error.find(want), std::string::npos) << error;
  };
  for (const char* field : {"head_width", "image_size", "patch_size", "layers", "width", "heads"})
    for (const Json& value : {Json(0), Json(-1), Json(2.5), Json(1 << 21)})
      named("vision_cfg", field, value);
  named("text_cfg", "context_length", 2);
  named("text_cfg", "vocab_size", 0);
  named("text_cfg", "layers", -3);
  named("", "embed_dim", 0);
  EXPECT_NE(with("vision_cfg", "mlp_ratio", 0).find("'mlp_ratio'"), std::string::npos);
  EXPECT_NE(with("vision_cfg", "eps", -1).find("'eps'"), std::string::npos);
  EXPECT_NE(with("vision_cfg", "heads", 7).find("cannot be divided among 7 heads"),
            std::string::npos);
  EXPECT_NE(with("", "preprocess", {{"std", {0.5, 0, 0.5}}}).find("std 0"), std::string::npos);
}

TEST(ClipConfig, UnknownFieldsThatMatterAreErrors) {
  Json json = load_clip_config("ViT-B-32").json;
  json["vision_cfg"]["patch_dropout"] = 0.5;
  EXPECT_NE(error_of([&] {
              parse_clip_config(json, "c.json");
            }).find("c.json: vision_cfg: field 'patch_dropout' = 0.5 is not supported"),
            std::string::npos);
  json["vision_cfg"].erase("patch_dropout");
  json["vision_cfg"]["layers"] = {3, 4, 6, 3};
  EXPECT_NE(error_of([&] { parse_clip_config(json, "c.json"); }).find("ResNet"), std::string::npos);
  json = load_clip_config("ViT-B-32").json;
  json["preprocess"] = {{"resize_mode", "squash"}};
  EXPECT_NE(error_of([&] { parse_clip_config(json, "x"); }).find("'squash' is not supported"),
            std::string::npos);
  EXPECT_NE(error_of([&] { load_clip_config("ViT-Q-1"); }).find("presets are"), std::string::npos);
}

}  // namespace
}  // namespace laclip

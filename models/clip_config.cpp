#include "models/clip_config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "base/check.h"
#include "models/presets.h"

namespace laclip {
namespace {

void check_keys(const Json& json, const std::vector<std::string>& known, const std::string& place) {
  for (const auto& [key, value] : json.items()) {
    const bool harmless = value.is_null() || value == false || key.starts_with("_");
    check(harmless || std::find(known.begin(), known.end(), key) != known.end(),
          "{}: field '{}' = {} is not supported (known: {})", place, key, value.dump(),
          fmt::join(known, ", "));
  }
}

// A size: a whole number from `least` on. The bound keeps products of sizes inside 64 bits.
int64_t size_field(const Json& json, const char* name, const std::string& place,
                   std::optional<int64_t> fallback = std::nullopt, int64_t least = 1) {
  constexpr int64_t kMost = 1 << 20;
  const double size = fallback ? json_field<double>(json, name, place, double(*fallback))
                               : json_field<double>(json, name, place);
  const bool whole = !json.contains(name) || json[name].is_null() || json[name].is_number_integer();
  check(whole && size >= double(least) && size <= double(kMost),
        "{}: field '{}' is {}; a whole number from {} to {} is needed", place, name,
        json.contains(name) ? json[name].dump() : fmt::format("{}", size), least, kMost);
  return int64_t(size);
}

double positive_field(const Json& json, const char* name, const std::string& place,
                      double fallback) {
  const auto value = json_field<double>(json, name, place, fallback);
  check(value > 0 && std::isfinite(value), "{}: field '{}' is {}; it must be greater than 0", place,
        name, value);
  return value;
}

TowerConfig parse_tower(const Json& json, bool quick_gelu, int64_t heads,
                        const std::string& place) {
  TowerConfig tower;
  tower.width = size_field(json, "width", place);
  tower.layers = size_field(json, "layers", place);
  tower.heads = size_field(json, "heads", place, heads);
  tower.mlp_width = int64_t(positive_field(json, "mlp_ratio", place, 4.0) * double(tower.width));
  tower.eps = float(positive_field(json, "eps", place, 1e-5));
  tower.qk_norm = json_field<bool>(json, "qk_norm", place, false);
  tower.activation = json_field<bool>(json, "quick_gelu", place, quick_gelu)
                         ? Activation::quick_gelu
                         : Activation::gelu;
  check(tower.width % tower.heads == 0, "{}: a width of {} cannot be divided among {} heads", place,
        tower.width, tower.heads);
  check(tower.mlp_width > 0, "{}: field 'mlp_ratio' makes an MLP of no width", place);
  return tower;
}

std::array<float, 3> channels(const Json& json, const char* key, std::array<float, 3> fallback,
                              const std::string& place) {
  return json_field<std::array<float, 3>>(json, key, place, fallback);
}

}  // namespace

ClipConfig parse_clip_config(const Json& whole, const std::string& place) {
  // open_clip_config.json wraps the model config and keeps the preprocessing beside it.
  const bool wrapped = whole.contains("model_cfg");
  const Json& json = wrapped ? whole["model_cfg"] : whole;
  check(json.contains("vision_cfg") && json.contains("text_cfg"),
        "{}: no CLIP model config: vision_cfg or text_cfg is missing", place);
  check_keys(json,
             {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "form", "preprocess",
              "init_logit_scale"},
             place);
  const Json &vision = json["vision_cfg"], &text = json["text_cfg"];
  const std::string vision_place = place + ": vision_cfg", text_place = place + ": text_cfg";
  check(!vision.contains("layers") || !vision["layers"].is_array(),
        "{}: a ResNet (layers is a list); only ViT towers are supported", vision_place);
  check_keys(vision,
             {"image_size", "layers", "width", "head_width", "heads", "mlp_ratio", "patch_size",
              "eps", "qk_norm", "quick_gelu"},
             vision_place);
  check_keys(text,
             {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "eps",
              "quick_gelu"},
             text_place);

  ClipConfig c;
  c.json = json;
  const auto form = json_field<std::string>(json, "form", place, "open_clip");
  check(form == "open_clip" || form == "laclip", "{}: form '{}' is neither open_clip nor laclip",
        place, form);
  c.form = form == "laclip" ? ClipConfig::Form::laclip : ClipConfig::Form::open_clip;
  c.embed = size_field(json, "embed_dim", place);
  const bool quick = json_field<bool>(json, "quick_gelu", place, false);
  const int64_t head_width = size_field(vision, "head_width", vision_place, 64),
                width = size_field(vision, "width", vision_place);
  c.vision = parse_tower(vision, quick, width / head_width, vision_place);
  c.image_size = size_field(vision, "image_size", vision_place, 224);
  c.patch = size_field(vision, "patch_size", vision_place);
  check(c.image_size % c.patch == 0, "{}: an image of {} cannot be cut into patches of {}",
        vision_place, c.image_size, c.patch);
  c.text = parse_tower(text, quick, 8, text_place);
  // Start, a token and end; start, end and a byte.
  c.context_length = size_field(text, "context_length", text_place, 77, 3);
  c.vocabulary = size_field(text, "vocab_size", text_place, 49408, 3);

  const Json preprocess = wrapped ? whole.value("preprocess_cfg", Json::object())
                                  : json.value("preprocess", Json::object());
  check(preprocess.is_object(), "{}: the preprocessing is no JSON object", place);
  const auto resize = json_field<std::string>(preprocess, "resize_mode", place, "shortest");
  check(resize == "shortest", "{}: resize_mode '{}' is not supported, only 'shortest' is", place,
        resize);
  c.pixels.mean = channels(preprocess, "mean", {0.48145466f, 0.4578275f, 0.40821073f}, place);
  c.pixels.std = channels(preprocess, "std", {0.26862954f, 0.26130258f, 0.27577711f}, place);
  for (float deviation : c.pixels.std)
    check(deviation > 0, "{}: the preprocessing divides by std {}, which must be greater than 0",
          place, deviation);
  c.interpolation = json_field<std::string>(preprocess, "interpolation", place, "bicubic");
  check(c.interpolation == "bicubic" || c.interpolation == "bilinear",
        "{}: interpolation '{}' is neither bicubic nor bilinear", place, c.interpolation);
  return c;
}

ClipConfig load_clip_config(const std::string& name_or_path) {
  for (const auto& [name, text] : kPresets)
    if (fs::path(name).stem() == name_or_path)
      return parse_clip_config(parse_json(std::string(text), "preset " + name_or_path),
                               "preset " + name_or_path);
  fs::path path = name_or_path;
  if (fs::is_directory(path)) path /= "open_clip_config.json";
  check(fs::exists(path), "--model {}: neither a preset nor a file; presets are {}", name_or_path,
        fmt::join(clip_presets(), ", "));
  return parse_clip_config(read_json(path), path.string());
}

std::vector<std::string> clip_presets() {
  std::vector<std::string> names;
  for (const auto& [name, text] : kPresets) names.push_back(fs::path(name).stem());
  return names;
}

}  // namespace laclip

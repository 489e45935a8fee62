// The shape of a CLIP model, in the form of open_clip's model configs (JSON), with a few keys of
// our own for the form that LaCLIP trains:
//   "form": "laclip"        timm's ViT (patch bias, no ln_pre, names blocks.N.norm1 …) and
//                           image_projection beside text_projection
//   "vision_cfg": {"qk_norm": true, "heads": 12, "quick_gelu": false, "eps": 1e-6}
//   "text_cfg": {"quick_gelu": true}
//   "preprocess": {"mean": […], "std": […], "interpolation": "bilinear"}
// Unknown keys that would change the computation are an Error.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/patch_embed.h"

namespace laclip {

struct TowerConfig {
  int64_t width = 0, layers = 0, heads = 0, mlp_width = 0;
  float eps = 1e-5f;
  Activation activation = Activation::gelu;
  bool qk_norm = false;
};

struct ClipConfig {
  enum class Form { open_clip, laclip } form = Form::open_clip;
  int64_t embed = 0;  // E
  TowerConfig vision, text;
  int64_t image_size = 224, patch = 16;
  int64_t context_length = 77, vocabulary = 49408;
  PixelScale pixels;                      // of the input
  std::string interpolation = "bicubic";  // of the preprocessing: bicubic or bilinear

  int64_t patches() const { return (image_size / patch) * (image_size / patch); }
  Json json;  // as it was read; kept for open_clip_config.json
};

ClipConfig parse_clip_config(const Json& json, const std::string& place);

// A preset by name ("ViT-B-32"), or the file or folder of a config.
ClipConfig load_clip_config(const std::string& name_or_path);
std::vector<std::string> clip_presets();

}  // namespace laclip

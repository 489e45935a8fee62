#include "models/clip_checkpoint.h"

#include <fmt/ranges.h>

#include "base/atomic_folder.h"
#include "base/check.h"
#include "engine/safetensors.h"
#include "engine/training_state.h"

namespace laclip {
namespace {

constexpr const char* kClipModel = "open_clip_model.safetensors";
constexpr const char* kClipConfig = "open_clip_config.json";
constexpr const char* kClipMoments = "training_state.safetensors";
constexpr const char* kClipState = "training_state.json";

// Old files carry buffers that are no parameters.
bool is_ignored(const std::string& name) {
  return name == "attn_mask" || name == "input_resolution" || name == "context_length" ||
         name == "vocab_size" || name.ends_with("position_ids");
}

std::string listing(const std::vector<std::string>& names) {
  constexpr size_t kShown = 5;
  const std::vector<std::string> first(names.begin(),
                                       names.begin() + long(std::min(kShown, names.size())));
  return fmt::format("{}{}", fmt::join(first, ", "),
                     names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown)
                                           : "");
}

}  // namespace

void load_clip_weights(Clip& model, const fs::path& path) {
  const WeightFiles files(path);
  std::vector<std::string> missing, extra;
  auto name_in_file = [&](const std::string& name) {
    return files.contains("module." + name) ? "module." + name : name;
  };
  for (const Parameter& p : model.parameters().list())
    if (!files.contains(name_in_file(p.name))) missing.push_back(p.name);
  for (std::string name : files.names()) {
    if (name.starts_with("module.")) name = name.substr(7);
    if (!model.parameters().find(name) && !is_ignored(name)) extra.push_back(name);
  }
  check(missing.empty() && extra.empty(),
        "{}: these weights do not fit the model: missing {}; extra "
        "{}. Check --model",
        path.string(), missing.empty() ? "none" : listing(missing),
        extra.empty() ? "none" : listing(extra));
  for (const Parameter& p : model.parameters().list()) {
    const Tensor tensor = files.tensor(name_in_file(p.name));
    const bool fits =
        tensor.shape == p.shape || (tensor.elements() == 1 && p.shape.elements() == 1);
    check(fits, "{}: tensor '{}' is {}, but the model needs {}; check --model", path.string(),
          p.name, tensor.shape.text(), p.shape.text());
    check(all_finite(tensor), "{}: tensor '{}' holds NaN or infinity; use an earlier checkpoint",
          path.string(), p.name);
    model.parameters().assign(p, tensor);
  }
}

std::unique_ptr<Clip> load_clip(const fs::path& folder, DType dtype, Device device) {
  check(fs::exists(folder), "{}: there is no such checkpoint", folder.string());
  check(fs::is_directory(folder), "{}: give the checkpoint folder, which holds {} and {}",
        folder.string(), kClipModel, kClipConfig);
  check(fs::exists(folder / kClipConfig), "{}: {} is missing in this checkpoint", folder.string(),
        kClipConfig);
  auto model = std::make_unique<Clip>(load_clip_config((folder / kClipConfig).string()), dtype,
                                      Training::no, std::nullopt, device);
  load_clip_weights(*model, folder);
  return model;
}

void save_checkpoint(const Clip& model, const fs::path& folder, const Json& state) {
  AtomicFolder files(folder);
  std::vector<NamedTensor> weights;
  for (const Parameter& p : model.parameters().list()) weights.push_back({p.name, p.master});
  const PixelScale& pixels = model.config().pixels;
  const Json config = {{"model_cfg", model.config().json},
                       {"preprocess_cfg",
                        {{"mean", pixels.mean},
                         {"std", pixels.std},
                         {"interpolation", model.config().interpolation},
                         {"resize_mode", "shortest"}}}};
  write_safetensors(files / kClipModel, weights);
  save_training_state(model.parameters(), files / kClipMoments, Masters::no);
  write_atomically(files / kClipConfig, config.dump(2) + "\n");
  write_atomically(files / kClipState, state.dump(2) + "\n");
  files.commit();
}

bool is_clip_checkpoint(const fs::path& folder) {
  return are_whole(folder, {kClipModel, kClipConfig, kClipMoments, kClipState});
}

Json read_training_state(const fs::path& folder) { return read_json(folder / kClipState); }

Json load_checkpoint(Clip& model, const fs::path& folder) {
  check(fs::exists(folder / kClipState),
        "{}: no training state in this folder; --resume needs a "
        "checkpoint of laclip train",
        folder.string());
  load_clip_weights(model, folder / kClipModel);
  load_training_state(model.parameters(), folder / kClipMoments);
  return read_training_state(folder);
}

}  // namespace laclip

// Checkpoints of CLIP: a folder that other programs can read, and what training needs to go on.
//
//   open_clip_model.safetensors   all parameters, fp32, under open_clip's (or LaCLIP's) names
//   open_clip_config.json         {"model_cfg", "preprocess_cfg"}
//   training_state.safetensors    first and second moments: "m.<name>", "v.<name>"
//   training_state.json           step and whatever the trainer notes
//
// A checkpoint is written under a temporary name and renamed: it is there as a whole or not at all.
// What ends in .tmp is left over from a write that was killed.
#pragma once

#include <memory>

#include "base/json.h"
#include "models/clip.h"

namespace laclip {

// Loads weights into a model: a safetensors file or a checkpoint folder. Missing or extra tensors,
// other shapes and NaN are an Error with their names. A prefix "module." is taken off.
void load_clip_weights(Clip& model, const fs::path& path);

// A model as its checkpoint folder describes it, for evaluation.
std::unique_ptr<Clip> load_clip(const fs::path& folder, DType dtype, Device device = Device::cpu);

void save_checkpoint(const Clip& model, const fs::path& folder, const Json& state);
// Whether all files are there that load_checkpoint() reads.
bool is_clip_checkpoint(const fs::path& folder);
Json read_training_state(const fs::path& folder);
// Weights and moments; returns the state.
Json load_checkpoint(Clip& model, const fs::path& folder);

}  // namespace laclip

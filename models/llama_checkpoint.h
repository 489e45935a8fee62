// Checkpoints of LLaMA: a Hugging Face folder, and what training needs to go on.
//
//   config.json, model.safetensors   in the compute type; what transformers and `laclip rewrite` read
//   tokenizer.model (or .bin)        a copy of the tokenizer
//   training_state.safetensors       moments and fp32 masters (engine/training_state.h)
//   training_state.json              step and whatever the trainer notes
#pragma once

#include "base/json.h"
#include "models/llama.h"

namespace laclip {

void save_llama(const Llama& model, const fs::path& tokenizer, const fs::path& folder);
void save_llama_checkpoint(const Llama& model, const fs::path& tokenizer, const fs::path& folder,
                           const Json& state);
bool is_llama_checkpoint(const fs::path& folder);
// Masters and moments into a model that trains; returns the state.
Json load_llama_checkpoint(Llama& model, const fs::path& folder);

}  // namespace laclip

// Loads a LLaMA model:
//   a Hugging Face folder  config.json, and model.safetensors or its shards
//   a llama2.c file        version 0 (seven int32) or version 1 ("ak42"), fp32
// Files are mapped. On the CPU, weights that the file holds as `dtype` (f32 or bf16) stay there, except
// those of joined products (query|key|value, gate|up); the others are converted on the way. The
// rotary pairs of llama2.c, neighbours (2i, 2i+1), are brought into the half-split order (i, i +
// D/2) used here.
#pragma once

#include <memory>

#include "base/file.h"
#include "models/llama.h"

namespace laclip {

std::unique_ptr<Llama> load_llama(const fs::path& path, DType dtype,
                                  Training training = Training::no, Device device = Device::cpu);

}  // namespace laclip

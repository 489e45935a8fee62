// What training needs beside the weights to go on bit for bit: the moments of AdamW, and the fp32
// masters where the weights were rounded to bf16.
//   "m.NAME", "v.NAME", and "w.NAME" if masters are asked for
#pragma once

#include "base/file.h"
#include "engine/parameter.h"

namespace laclip {

enum class Masters : bool { no, yes };
void save_training_state(const ParameterSet& parameters, const fs::path& file, Masters masters);
// Error for a missing tensor. Masters are read if the file holds them.
void load_training_state(ParameterSet& parameters, const fs::path& file);

// Whether all these files of a checkpoint are there, and the safetensors files among them not cut off.
bool are_whole(const fs::path& folder, std::initializer_list<const char*> files);

}  // namespace laclip

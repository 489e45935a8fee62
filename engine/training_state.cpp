#include "engine/training_state.h"

#include "engine/safetensors.h"

namespace laclip {

void save_training_state(const ParameterSet& parameters, const fs::path& file, Masters masters) {
  std::vector<NamedTensor> tensors;
  for (const Parameter& p : parameters.list()) {
    tensors.push_back({"m." + p.name, parameters.first_moment(p)});
    tensors.push_back({"v." + p.name, parameters.second_moment(p)});
    if (masters == Masters::yes) tensors.push_back({"w." + p.name, p.master});
  }
  write_safetensors(file, tensors);
}

void load_training_state(ParameterSet& parameters, const fs::path& file) {
  const SafetensorsFile state(file);
  for (const Parameter& p : parameters.list()) {
    copy_to_f32(parameters.first_moment(p), state.tensor("m." + p.name));
    copy_to_f32(parameters.second_moment(p), state.tensor("v." + p.name));
    if (state.contains("w." + p.name)) parameters.assign(p, state.tensor("w." + p.name));
  }
}

bool are_whole(const fs::path& folder, std::initializer_list<const char*> files) {
  for (const char* file : files) {
    const fs::path path = folder / file;
    if (!fs::exists(path)) return false;
    if (path.extension() != ".safetensors") continue;
    try {
      const SafetensorsFile header(path);
    } catch (const Error&) {
      return false;
    }
  }
  return true;
}

}  // namespace laclip

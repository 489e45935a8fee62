#include "models/llama_checkpoint.h"

#include "base/atomic_folder.h"
#include "base/check.h"
#include "engine/safetensors.h"
#include "engine/training_state.h"
#include "models/llama_config.h"

namespace laclip {
namespace {

constexpr const char* kLlamaConfig = "config.json";
constexpr const char* kLlamaModel = "model.safetensors";
constexpr const char* kLlamaMoments = "training_state.safetensors";
constexpr const char* kLlamaState = "training_state.json";

void write_model(const Llama& model, const fs::path& tokenizer, const AtomicFolder& folder) {
  std::vector<NamedTensor> weights;
  for (const Parameter& p : model.parameters().list()) weights.push_back({p.name, p.value});
  write_safetensors(folder / kLlamaModel, weights);
  Json config = to_json(model.config());
  config["torch_dtype"] = model.dtype() == DType::bf16 ? "bfloat16" : "float32";
  write_atomically(folder / kLlamaConfig, config.dump(2) + "\n");
  const bool sentencepiece = tokenizer.extension() == ".model";
  write_atomically(folder / (sentencepiece ? "tokenizer.model" : "tokenizer.bin"),
                   read_text(tokenizer));
}

}  // namespace

void save_llama(const Llama& model, const fs::path& tokenizer, const fs::path& folder) {
  AtomicFolder files(folder);
  write_model(model, tokenizer, files);
  files.commit();
}

void save_llama_checkpoint(const Llama& model, const fs::path& tokenizer, const fs::path& folder,
                           const Json& state) {
  AtomicFolder files(folder);
  write_model(model, tokenizer, files);
  save_training_state(model.parameters(), files / kLlamaMoments,
                      model.dtype() == DType::bf16 ? Masters::yes : Masters::no);
  write_atomically(files / kLlamaState, state.dump(2) + "\n");
  files.commit();
}

bool is_llama_checkpoint(const fs::path& folder) {
  return are_whole(folder, {kLlamaModel, kLlamaConfig, kLlamaMoments, kLlamaState});
}

Json load_llama_checkpoint(Llama& model, const fs::path& folder) {
  check(is_llama_checkpoint(folder),
        "{}: no training state in this folder; --resume needs a checkpoint of laclip pretrain",
        folder.string());
  const SafetensorsFile weights(folder / kLlamaModel);
  for (const Parameter& p : model.parameters().list()) {
    const Tensor tensor = weights.tensor(p.name);
    check(tensor.shape == p.shape, "{}: tensor '{}' is {}, but the model needs {}; check --model",
          folder.string(), p.name, tensor.shape.text(), p.shape.text());
    model.parameters().assign(p, tensor);
  }
  load_training_state(model.parameters(), folder / kLlamaMoments);
  return read_json(folder / kLlamaState);
}

}  // namespace laclip

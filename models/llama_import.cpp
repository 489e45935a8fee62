#include "models/llama_import.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/json.h"
#include "base/progress.h"
#include "engine/safetensors.h"

namespace laclip {
namespace {

void check_finite(const Tensor& tensor, const std::string& name, const fs::path& path) {
  check(all_finite(tensor),
        "{}: tensor '{}' holds NaN or infinity; the file is damaged or its "
        "training diverged",
        path.string(), name);
}

// A tensor that the model does not know (a bias, an adapter) would change what it computes.
void check_extra(const WeightFiles& files, Llama& model, const fs::path& path) {
  for (const std::string& name : files.names()) {
    const bool harmless = name.ends_with("rotary_emb.inv_freq") ||  // follows from the config
                          (name == "lm_head.weight" && model.config().tied);
    check(harmless || model.parameters().find(name),
          "{}: tensor '{}' has no place in the LLaMA that config.json describes; biases and "
          "adapters are not supported, merge an adapter into its model first",
          path.string(), name);
  }
}

std::unique_ptr<Llama> load_folder(const fs::path& path, DType dtype, Training training,
                                   Device device) {
  const fs::path config_file = path / "config.json";
  check(fs::exists(config_file),
        "{}: config.json is missing in this folder; a Hugging Face LLaMA "
        "folder is needed",
        path.string());
  const auto files = std::make_shared<const WeightFiles>(path);
  auto model =
      std::make_unique<Llama>(parse_llama_config(read_json(config_file), config_file.string()),
                              dtype, training, device);
  check_extra(*files, *model, path);
  for (const Parameter& parameter : model->parameters().list()) {
    check(files->contains(parameter.name), "{}: tensor '{}' is missing", path.string(),
          parameter.name);
    const Tensor tensor = files->tensor(parameter.name);
    check(tensor.shape == parameter.shape, "{}: tensor '{}' is {}, but config.json makes it {}",
          path.string(), parameter.name, tensor.shape.text(), parameter.shape.text());
    check_finite(tensor, parameter.name, path);
    model->parameters().assign_or_refer(parameter, tensor);
  }
  model->keep(files);
  return model;
}

// ---- llama2.c -----------------------------------------------------------------------------------

constexpr uint32_t kVersion1Magic = 0x616b3432;

struct Llama2cHeader {
  int32_t width, mlp_width, layers, heads, key_heads, vocabulary, max_length;
};

// Reads fp32 arrays one after the other.
class Reader {
 public:
  Reader(const MappedFile& file, size_t at) : file_(file), at_(at) {}
  Tensor next(Shape shape, const std::string& what) {
    const auto bytes = size_t(shape.elements()) * 4;
    check(bytes <= file_.bytes().size() - at_,
          "{}: the file ends inside '{}' ({} of {} needed); it "
          "is cut off",
          file_.path().string(), what, format_bytes(double(file_.bytes().size() - at_)),
          format_bytes(double(bytes)));
    const Tensor tensor{const_cast<std::byte*>(file_.bytes().data()) + at_, shape, DType::f32,
                        Device::cpu};
    at_ += bytes;
    check_finite(tensor, what, file_.path());
    return tensor;
  }

 private:
  const MappedFile& file_;
  size_t at_;
};

// Rows (2i, 2i+1) of each head become rows (i, i + D/2).
std::vector<float> halves_from_pairs(const float* rows, int64_t heads, int64_t D, int64_t C) {
  std::vector<float> out(size_t(heads * D * C));
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < D; ++i) {
      const int64_t to = i / 2 + (i % 2) * (D / 2);
      std::copy_n(rows + (h * D + i) * C, C, out.data() + (h * D + to) * C);
    }
  return out;
}

class Llama2cFile {
 public:
  explicit Llama2cFile(const fs::path& path) : file_(path) {
    const auto bytes = file_.bytes();
    check(bytes.size() >= 256, "{}: {} bytes are too few for a llama2.c model", path.string(),
          bytes.size());
    uint32_t magic;
    std::memcpy(&magic, bytes.data(), 4);
    version1_ = magic == kVersion1Magic;
    int32_t version = 0;
    if (version1_) std::memcpy(&version, bytes.data() + 4, 4);
    check(!version1_ || version == 1,
          "{}: a llama2.c file of version {}; versions 0 and 1 (fp32) "
          "are supported, export it with --version 1",
          path.string(), version);
    Llama2cHeader header;
    std::memcpy(&header, bytes.data() + (version1_ ? 8 : 0), sizeof header);
    uint8_t shared = 0;
    if (version1_) std::memcpy(&shared, bytes.data() + 8 + sizeof header, 1);

    LlamaConfig& c = config;
    c.width = header.width;
    c.mlp_width = header.mlp_width;
    c.layers = header.layers;
    c.heads = header.heads;
    c.key_heads = header.key_heads;
    c.tied = version1_ ? shared != 0 : header.vocabulary > 0;
    c.vocabulary = std::abs(int64_t(header.vocabulary));
    c.max_length = header.max_length;
    const bool plausible = c.width > 0 && c.width < (1 << 20) && c.layers > 0 && c.layers < 10000 &&
                           c.heads > 0 && c.width % c.heads == 0 && c.mlp_width > 0 &&
                           c.mlp_width < (1 << 24) && c.vocabulary < (1 << 28) &&
                           c.max_length > 0 && c.max_length < (1 << 24);
    check(plausible,
          "{}: neither a llama2.c model nor a Hugging Face folder (its header says width "
          "{}, {} layers, {} heads, vocabulary {})",
          path.string(), c.width, c.layers, c.heads, c.vocabulary);
    c.head_size = c.width / c.heads;
    c.check_sizes(path.string());
  }

  void assign_to(Llama& model) {
    Reader reader(file_, version1_ ? 256 : sizeof(Llama2cHeader));
    const LlamaConfig& c = config;
    const int64_t C = c.width, F = c.mlp_width, q = c.heads * c.head_size,
                  k = c.key_heads * c.head_size;
    auto each_layer = [&](const char* name, Shape shape, int64_t rotated_heads = 0) {
      for (int64_t i = 0; i < c.layers; ++i) {
        const std::string full = fmt::format("model.layers.{}.{}.weight", i, name);
        Tensor tensor = reader.next(shape, full);
        std::vector<float> rotated;
        if (rotated_heads > 0) {
          rotated = halves_from_pairs(tensor.as<float>(), rotated_heads, c.head_size, C);
          tensor = tensor_of(rotated.data(), shape);
        }
        // q and k are joined, so rotated rows are copied here.
        model.parameters().assign_or_refer(*model.parameters().find(full), tensor);
      }
    };
    auto single = [&](const std::string& name, Shape shape) {
      model.parameters().assign_or_refer(*model.parameters().find(name), reader.next(shape, name));
    };
    auto matrices = [&] {
      each_layer("self_attn.q_proj", {q, C}, c.heads);
      each_layer("self_attn.k_proj", {k, C}, c.key_heads);
      each_layer("self_attn.v_proj", {k, C});
      each_layer("self_attn.o_proj", {C, q});
    };
    auto mlp = [&] {
      each_layer("mlp.gate_proj", {F, C});
      each_layer("mlp.down_proj", {C, F});
      each_layer("mlp.up_proj", {F, C});
    };
    if (version1_) {
      each_layer("input_layernorm", {C});
      each_layer("post_attention_layernorm", {C});
      single("model.norm.weight", {C});
      single("model.embed_tokens.weight", {c.vocabulary, C});
      matrices();
      mlp();
    } else {
      single("model.embed_tokens.weight", {c.vocabulary, C});
      each_layer("input_layernorm", {C});
      matrices();
      each_layer("post_attention_layernorm", {C});
      mlp();
      single("model.norm.weight", {C});
      reader.next({c.max_length, c.head_size}, "rotary tables");  // made anew from the config
    }
    if (!c.tied) single("lm_head.weight", {c.vocabulary, C});
  }

  LlamaConfig config;

 private:
  MappedFile file_;
  bool version1_;
};

}  // namespace

std::unique_ptr<Llama> load_llama(const fs::path& path, DType dtype, Training training,
                                  Device device) {
  check(fs::exists(path),
        "{}: there is no such model; give a Hugging Face folder or a llama2.c file", path.string());
  if (fs::is_directory(path)) return load_folder(path, dtype, training, device);
  check(path.extension() != ".safetensors",
        "{}: give the folder of this file, with its config.json", path.string());
  const auto file = std::make_shared<Llama2cFile>(path);
  auto model = std::make_unique<Llama>(file->config, dtype, training, device);
  file->assign_to(*model);
  model->keep(file);
  return model;
}

}  // namespace laclip

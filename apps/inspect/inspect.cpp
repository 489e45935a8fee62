// laclip inspect: what a file is, and whether it is sound; one JSON line each.
#include <fmt/core.h>

#include <map>
#include <memory>
#include <span>

#include "apps/command.h"
#include "base/check.h"
#include "base/json.h"
#include "data/image_augment.h"
#include "data/image_decode.h"
#include "data/image_write.h"
#include "data/sample_source.h"
#include "data/tar_index.h"
#include "engine/safetensors.h"
#include "models/clip_checkpoint.h"
#include "models/llama_import.h"
#include "tokenizer/tokenizer.h"

namespace laclip {
namespace {

struct InspectOptions {
  std::vector<std::string> files;
  int preprocess = 0;
  std::string interpolation = "bicubic", save;
};

Json inspect_weights(const fs::path& path) {
  const SafetensorsFile file(path);
  Json tensors = Json::object();
  int64_t elements = 0;
  std::vector<std::string> broken;
  for (const auto& [name, entry] : file.entries()) {
    tensors[name] = {{"dtype", entry.dtype}, {"shape", entry.shape}};
    int64_t count = 1;
    for (int64_t n : entry.shape) count *= n;
    elements += count;
    const bool real = entry.dtype == "F32" || entry.dtype == "F16" || entry.dtype == "BF16" ||
                      entry.dtype == "F64";
    if (real && !all_finite(file.tensor(name))) broken.push_back(name);
  }
  return {{"kind", "safetensors"}, {"sound", broken.empty()},     {"elements", elements},
          {"not_finite", broken},  {"metadata", file.metadata()}, {"tensors", tensors}};
}

Json inspect_shard(const fs::path& path) {
  const MappedFile file(path);
  const TarIndex index = index_tar(file.bytes());
  Json broken = Json::object();
  int64_t samples = 0, sound = 0;
  if (!index.members.empty()) {
    try {
      SourceOptions options;
      options.type = "webdataset";
      const auto source = open_samples(path.string(), options);
      samples = int64_t(source->size());
      broken = source->summary()["left_out"];
      for (size_t i = 0; i < source->size(); ++i) try {
          decode_image(source->image(i).view, {}, source->place(i));
          ++sound;
        } catch (const ImageError& error) {
          broken[name_of(error.fault)] = broken.value(name_of(error.fault), int64_t(0)) + 1;
        }
    } catch (const Error& error) {
      broken[error.what()] = 1;
    }
  }
  return {{"kind", "tar"},
          {"sound", index.fault.empty() && broken.empty()},
          {"members", index.members.size()},
          {"samples", samples},
          {"images_sound", sound},
          {"broken", broken},
          {"fault", index.fault}};
}

Json inspect_image(const fs::path& path, std::span<const std::byte> bytes,
                   const InspectOptions& o) {
  Json json = {{"kind", "image"}, {"sound", true}};
  try {
    const ImageInfo info = probe_image(bytes, path.string());
    json.update({{"format", info.format},
                 {"mode", info.mode},
                 {"width", info.width},
                 {"height", info.height}});
    Image image = decode_image(bytes, {}, path.string());
    if (o.preprocess > 0)
      image = evaluation_crop(image, o.preprocess, parse_interpolation(o.interpolation));
    if (!o.save.empty()) write_png(o.save, image);
  } catch (const ImageError& error) {
    json["sound"] = false;
    json["fault"] = name_of(error.fault);
    json["error"] = error.what();
  }
  return json;
}

Json inspect_llama(const fs::path& path, const char* kind, DType type) {
  const auto model = load_llama(path, type);
  return {{"kind", kind},
          {"sound", true},
          {"layers", model->config().layers},
          {"width", model->config().width},
          {"vocabulary", model->config().vocabulary},
          {"parameters", model->parameters().elements()}};
}

Json inspect_clip(const fs::path& folder) {
  const auto model = load_clip(folder, DType::f32);
  const ClipConfig& config = model->config();
  Json json = {{"kind", "clip"},
               {"sound", true},
               {"form", config.form == ClipConfig::Form::laclip ? "laclip" : "open_clip"},
               {"parameters", model->parameters().elements()},
               {"image_size", config.image_size},
               {"patch_size", config.patch},
               {"embed_dim", config.embed},
               {"context_length", config.context_length},
               {"vocabulary", config.vocabulary}};
  if (is_clip_checkpoint(folder)) json["step"] = read_training_state(folder).value("step", Json());
  return json;
}

Json inspect_folder(const fs::path& path) {
  const bool clip = fs::exists(path / "open_clip_config.json");
  check(clip || fs::exists(path / "config.json"),
        "{}: a folder without config.json (LLaMA) or open_clip_config.json (CLIP)", path.string());
  return clip ? inspect_clip(path) : inspect_llama(path, "llama", DType::bf16);
}

Json inspect_tokenizer(const fs::path& path) {
  try {
    const auto tokenizer = load_tokenizer(path);
    return {{"kind", tokenizer->kind()}, {"sound", true}, {"vocabulary", tokenizer->vocabulary()}};
  } catch (const std::exception& error) {
    return {{"kind", "tokenizer"}, {"sound", false}, {"error", error.what()}};
  }
}

// What a file is, by its name and first bytes: models are too large to be read for that.
Json inspect_file(const fs::path& path, const InspectOptions& o) {
  if (fs::is_directory(path)) return inspect_folder(path);
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string ending = path.extension().string();
  if (ending == ".safetensors") return inspect_weights(path);
  if (ending == ".tar" || (text.size() > 262 && text.substr(257, 5) == "ustar"))
    return inspect_shard(path);
  if (ending == ".model" || ending == ".txt" || text.starts_with("\x1f\x8b"))
    return inspect_tokenizer(path);
  if (ending == ".bin") {
    constexpr size_t kLargestTokenizer = 64 << 20;
    if (bytes.size() <= kLargestTokenizer)
      if (Json json = inspect_tokenizer(path); json["sound"].get<bool>()) return json;
    return inspect_llama(path, "llama2.c", DType::f32);
  }
  return inspect_image(path, bytes, o);
}

void inspect(const InspectOptions& o) {
  if (!o.save.empty() && o.files.size() != 1) fail_usage("--save: give one image");
  bool sound = true;
  for (const std::string& name : o.files) {
    Json row = {{"file", name}};
    try {
      row.update(inspect_file(name, o));
    } catch (const std::exception& error) {
      row.update({{"kind", "unknown"}, {"sound", false}, {"error", error.what()}});
    }
    sound &= row["sound"].get<bool>();
    fmt::print("{}\n", row.dump());
  }
  if (!sound) fail("not all files are sound");
}

}  // namespace

void add_inspect_command(Program& program) {
  Command command =
      program.add_command("inspect", "what files are and whether they are sound, as JSON lines");
  auto o = std::make_shared<InspectOptions>();
  command.add_option("files", o->files, "weights, models, tokenizers, tar shards, images")
      .required();
  command.add_option("--preprocess", o->preprocess,
                     "side of the square that evaluation sees (0 = the whole image)");
  command.add_option("--interpolation", o->interpolation, "of --preprocess")
      .among({"bicubic", "bilinear"});
  command.add_option("--save", o->save, "write the image as PNG");
  command.callback([o] { inspect(*o); });
}

}  // namespace laclip

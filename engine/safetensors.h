// The safetensors format: u64 header length, JSON header, tensor bytes.
//   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {…}}
// Offsets count from the end of the header; tensors neither overlap nor leave holes; row-major,
// little-endian. (github.com/huggingface/safetensors, README)
//
// Any defect of a file is an Error "PATH: …"; a reader never looks outside the file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "kernels/core/tensor.h"

namespace laclip {

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const fs::path& path);

  struct Entry {
    std::string dtype;  // as in the header: F32, BF16, F16, I64, …
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // bytes in the file
  };
  const std::map<std::string, Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const fs::path& path() const { return file_.path(); }

  bool contains(const std::string& name) const { return entries_.count(name) > 0; }
  // A view into the mapped file, valid while this object lives. Error for a missing name, a type
  // that tensors do not have, or more than five dimensions. The format aligns nothing, so the view
  // may lie at an odd address: copy_to_f32, all_finite and memcpy read it anyway, as<T>() refuses.
  Tensor tensor(const std::string& name) const;

 private:
  MappedFile file_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

// Weights in one file or in shards listed by an index (model.safetensors.index.json). `path` is a
// file, an index, or a folder that holds model.safetensors or such an index.
class WeightFiles {
 public:
  explicit WeightFiles(const fs::path& path);
  bool contains(const std::string& name) const { return where_.count(name) > 0; }
  Tensor tensor(const std::string& name) const;
  std::vector<std::string> names() const;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, size_t> where_;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Writes atomically, by falling element size and then by name, as the official writer does.
void write_safetensors(const fs::path& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

// Both read f64, f32, f16 and bf16 at any address.
// Copies `from` into the fp32 tensor `to` of the same number of elements.
void copy_to_f32(const Tensor& to, const Tensor& from);
// Whether all elements are finite.
bool all_finite(const Tensor& tensor);

}  // namespace laclip

#include "engine/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/check.h"
#include "base/json.h"
#include "kernels/core/stream.h"

namespace laclip {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the limit of the official reader

int64_t element_size(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "U8" || dtype == "I8" || dtype == "BOOL" || dtype == "F8_E4M3" || dtype == "F8_E5M2")
    return 1;
  return 0;
}

std::optional<DType> tensor_type(const std::string& dtype) {
  if (dtype == "F64") return DType::f64;
  if (dtype == "F32") return DType::f32;
  if (dtype == "F16") return DType::f16;
  if (dtype == "BF16") return DType::bf16;
  if (dtype == "I64") return DType::i64;
  if (dtype == "I32") return DType::i32;
  if (dtype == "U8" || dtype == "BOOL") return DType::u8;
  return std::nullopt;
}

std::string name_in_header(DType type) {
  switch (type) {
    case DType::f64:
      return "F64";
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
    case DType::u8:
      return "U8";
  }
  return "";
}

Json parse_header(const std::string& text, const std::string& place) {
  try {
    return Json::parse(text, Json::DuplicateNames::error);
  } catch (const JsonError& error) {
    fail("{}: the header is not valid JSON: {}", place, error.what());
  }
}

float half_to_float(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = (half >> 10) & 31,
                 mantissa = half & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) return std::bit_cast<float>(sign | 0x3f800000u) * float(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

// Element i of an array at any address: a header may have any length, and tensors lie behind it.
template <class T>
T element(const Tensor& tensor, int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(tensor.data) + i * int64_t(sizeof(T)),
              sizeof(T));
  return value;
}

// Calls body(i, value) for all elements of a float tensor.
template <class Body>
void for_each_float(const Tensor& tensor, Body&& body) {
  const int64_t count = tensor.elements();
  switch (tensor.dtype) {
    case DType::f32:
      for (int64_t i = 0; i < count; ++i) body(i, element<float>(tensor, i));
      return;
    case DType::bf16:
      for (int64_t i = 0; i < count; ++i) body(i, float(element<bf16>(tensor, i)));
      return;
    case DType::f16:
      for (int64_t i = 0; i < count; ++i) body(i, half_to_float(element<uint16_t>(tensor, i)));
      return;
    case DType::f64:
      for (int64_t i = 0; i < count; ++i) body(i, float(element<double>(tensor, i)));
      return;
    default:
      fail("element type {} where floating point is needed", name_of(tensor.dtype));
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const fs::path& path) : file_(path) {
  const std::string place = path.string();
  const auto bytes = file_.bytes();
  uint64_t length = 0;
  check(bytes.size() >= 8, "{}: {} bytes are too few for a safetensors file; is it cut off?", place,
        bytes.size());
  std::memcpy(&length, bytes.data(), 8);
  check(length <= kMaxHeader && length <= bytes.size() - 8,
        "{}: a header of {} bytes in a file of {}; this is no safetensors file, or it is cut off",
        place, length, bytes.size());
  const std::string text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  check(!text.empty() && text[0] == '{',
        "{}: no safetensors file: its header does not start with '{{'", place);
  const Json header = parse_header(text, place);
  check(header.is_object(), "{}: the header is not a JSON object", place);

  const uint64_t data = 8 + length, available = bytes.size() - data;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      check(value.is_object(), "{}: __metadata__ is not an object", place);
      for (const auto& [key, text_value] : value.items())
        if (text_value.is_string()) metadata_[key] = text_value.get<std::string>();
      continue;
    }
    const std::string where = place + ": tensor '" + name + "'";
    Entry entry;
    entry.dtype = json_field<std::string>(value, "dtype", where);
    const auto shape = json_field<std::vector<uint64_t>>(value, "shape", where);
    const auto offsets = json_field<std::vector<uint64_t>>(value, "data_offsets", where);
    check(offsets.size() == 2, "{}: data_offsets needs two numbers", where);
    const int64_t size = element_size(entry.dtype);
    check(size > 0, "{}: unknown dtype '{}'", where, entry.dtype);
    uint64_t elements = 1;
    for (uint64_t n : shape) {
      check(n <= uint64_t(INT64_MAX) && !__builtin_mul_overflow(elements, n, &elements),
            "{}: its shape is impossibly large", where);
      entry.shape.push_back(int64_t(n));
    }
    uint64_t wanted = 0;
    check(!__builtin_mul_overflow(elements, uint64_t(size), &wanted),
          "{}: its shape is impossibly large", where);
    check(offsets[0] <= offsets[1] && offsets[1] <= available,
          "{}: bytes {}..{} lie outside the {} bytes of data; the file is cut off or damaged",
          where, offsets[0], offsets[1], available);
    check(offsets[1] - offsets[0] == wanted, "{}: {} bytes where shape and type need {}", where,
          offsets[1] - offsets[0], wanted);
    entry.begin = data + offsets[0];
    entry.end = data + offsets[1];
    ranges.emplace_back(offsets[0], offsets[1]);
    entries_.emplace(name, std::move(entry));
  }
  std::sort(ranges.begin(), ranges.end());
  uint64_t end = 0;
  for (const auto& [first, last] : ranges) {
    check(first == end, "{}: tensors overlap or leave a hole at byte {} of the data", place, end);
    end = last;
  }
  check(end == available, "{}: {} bytes of data belong to no tensor; the file is damaged", place,
        available - end);
}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = entries_.find(name);
  check(found != entries_.end(), "{}: there is no tensor '{}'", path().string(), name);
  const Entry& entry = found->second;
  const auto type = tensor_type(entry.dtype);
  check(type.has_value(), "{}: tensor '{}' has type {}, which is not supported", path().string(),
        name, entry.dtype);
  check(entry.shape.size() <= size_t(Shape::kMaxRank), "{}: tensor '{}' has {} dimensions",
        path().string(), name, entry.shape.size());
  Shape shape;
  for (int64_t n : entry.shape) shape.sizes[size_t(shape.rank++)] = n;
  return {const_cast<std::byte*>(file_.bytes().data()) + entry.begin, shape, *type, Device::cpu};
}

WeightFiles::WeightFiles(const fs::path& path) : path_(path) {
  fs::path file = path;
  if (fs::is_directory(path)) {
    for (const char* name :
         {"open_clip_model.safetensors", "model.safetensors", "model.safetensors.index.json"})
      if (fs::exists(path / name)) {
        file = path / name;
        break;
      }
    check(file != path,
          "{}: neither model.safetensors nor model.safetensors.index.json is in this "
          "folder{}",
          path.string(),
          fs::exists(path / "pytorch_model.bin") ? "; pytorch_model.bin is a pickle, save it with "
                                                   "save_pretrained(safe_serialization=True)"
                                                 : "");
  }
  if (file.extension() != ".json") {
    files_.emplace_back(file);
  } else {
    const Json index = read_json(file);
    std::map<std::string, size_t> opened;
    for (const auto& [name, shard] :
         json_field<std::map<std::string, std::string>>(index, "weight_map", file.string()))
      if (opened.emplace(shard, files_.size()).second)
        files_.emplace_back(file.parent_path() / shard);
  }
  for (size_t i = 0; i < files_.size(); ++i)
    for (const auto& [name, entry] : files_[i].entries()) where_[name] = i;
}

Tensor WeightFiles::tensor(const std::string& name) const {
  const auto found = where_.find(name);
  check(found != where_.end(), "{}: there is no tensor '{}'", path_.string(), name);
  return files_[found->second].tensor(name);
}

std::vector<std::string> WeightFiles::names() const {
  std::vector<std::string> list;
  for (const auto& [name, index] : where_) list.push_back(name);
  return list;
}

void write_safetensors(const fs::path& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
    const int64_t left = size_of(a.tensor.dtype), right = size_of(b.tensor.dtype);
    return left != right ? left > right : a.name < b.name;
  });
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t at = 0;
  for (const auto& [name, tensor] : tensors) {
    std::vector<int64_t> shape(tensor.shape.sizes.begin(),
                               tensor.shape.sizes.begin() + tensor.shape.rank);
    header[name] = {{"dtype", name_in_header(tensor.dtype)},
                    {"shape", shape},
                    {"data_offsets", {at, at + tensor.bytes()}}};
    at += tensor.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const auto& [name, tensor] : tensors) {
    const HostCopy host(tensor);
    file.write(
        std::span(static_cast<const std::byte*>(host.tensor().data), size_t(tensor.bytes())));
  }
  file.commit();
}

void copy_to_f32(const Tensor& to, const Tensor& from) {
  check(to.elements() == from.elements(), "{} elements are copied to {}", from.elements(),
        to.elements());
  if (to.device != Device::cpu) {
    const Buffer staging("one tensor", to.bytes());
    const Tensor host = staging.tensor(to.shape, to.dtype);
    copy_to_f32(host, from);
    return copy_from_host(to, host);
  }
  float* out = to.as<float>();
  for_each_float(from, [out](int64_t i, float x) { out[i] = x; });
}

bool all_finite(const Tensor& tensor) {
  bool finite = true;
  for_each_float(tensor, [&](int64_t, float x) { finite &= std::isfinite(x); });
  return finite;
}

}  // namespace laclip

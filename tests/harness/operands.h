// The operands of an op under test: made from its contract, random or given, each between guard
// bands.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/philox.h"
#include "kernels/core/contract.h"
#include "kernels/core/stream.h"

namespace laclip::test {

using Sizes = std::map<char, int64_t>;  // by the letters of the contract
using Doubles = std::vector<double>;

struct OpInputs {
  std::map<std::string, Doubles> given{};  // operands that are not random
  std::vector<std::string> absent{};       // optional operands passed as none
  std::map<std::string, DType> types{};    // of `:*` operands that differ from the activations
  // In bf16 the terms of fp32 sums are rounded before they are added (docs/numerics.md).
  bool rounded_terms = false;
};

// The operands of a reference by name, with the sizes by letter.
template <class S>
struct Values {
  using Scalar = S;
  Sizes sizes;
  std::map<std::string, std::vector<S>> operands;
  int64_t operator()(char letter) const { return sizes.at(letter); }
  std::vector<S>& operator[](const std::string& name) { return operands.at(name); }
};

inline Shape shape_of(const OperandRule& rule, const Sizes& sizes) {
  Shape shape;
  for (int d = 0; d < rule.rank; ++d) {
    const DimensionRule& dimension = rule.dimensions[size_t(d)];
    shape.sizes[size_t(shape.rank++)] =
        dimension.symbol ? dimension.multiple * sizes.at(dimension.symbol) + dimension.offset
                         : dimension.offset;
  }
  return shape;
}

inline DType type_of(const OperandRule& rule, DType activation, const OpInputs& inputs) {
  switch (rule.type) {
    case TypeRule::f32:
      return DType::f32;
    case TypeRule::bf16:
      return DType::bf16;
    case TypeRule::i32:
      return DType::i32;
    case TypeRule::u8:
      return DType::u8;
    case TypeRule::any_float:
      if (const auto found = inputs.types.find(std::string(rule.name)); found != inputs.types.end())
        return found->second;
      return activation;
    case TypeRule::activation:
      break;
  }
  return activation;
}

// The types of activations in which an op can run; one where its contract fixes all types.
inline std::vector<DType> types_of(const Contract& contract) {
  for (int i = 0; i < contract.count; ++i) {
    const TypeRule rule = contract.operands[size_t(i)].type;
    if (rule == TypeRule::activation || rule == TypeRule::any_float)
      return {DType::f32, DType::bf16};
  }
  return {DType::f32};
}

// A tensor between two guard bands, on a device; the host works on a mirror of it.
class Guarded {
 public:
  Guarded(Shape shape, DType type, Device device = Device::cpu)
      : bytes_(size_t(shape.elements() * size_of(type))),
        mirror_(bytes_ + 2 * kBand, kPattern),
        memory_("operand", int64_t(mirror_.size()), device) {
    tensor = memory_.tensor(shape, type, kBand);
    push();
  }
  Tensor tensor;

  void poison(int byte) {
    std::memset(mirror_.data() + kBand, byte, bytes_);
    push();
  }
  void store(const Doubles& values) {
    for (size_t i = 0; i < values.size(); ++i) switch (tensor.dtype) {
        case DType::f32:
          at<float>()[i] = float(values[i]);
          break;
        case DType::bf16:
          at<bf16>()[i] = bf16(float(values[i]));
          break;
        case DType::i32:
          at<int32_t>()[i] = int32_t(values[i]);
          break;
        default:
          at<uint8_t>()[i] = uint8_t(values[i]);
      }
    push();
  }
  Doubles load() const {
    pull();
    Doubles values(size_t(tensor.elements()));
    for (size_t i = 0; i < values.size(); ++i) switch (tensor.dtype) {
        case DType::f32:
          values[i] = double(at<float>()[i]);
          break;
        case DType::bf16:
          values[i] = double(float(at<bf16>()[i]));
          break;
        case DType::i32:
          values[i] = double(at<int32_t>()[i]);
          break;
        default:
          values[i] = double(at<uint8_t>()[i]);
      }
    return values;
  }
  bool guards_intact() const {
    pull();
    for (size_t i = 0; i < kBand; ++i)
      if (mirror_[i] != kPattern || mirror_[kBand + bytes_ + i] != kPattern) return false;
    return true;
  }
  std::string bits() const {
    pull();
    return {mirror_.begin() + kBand, mirror_.end() - kBand};
  }
  void set_bits(const std::string& bits) {
    std::memcpy(mirror_.data() + kBand, bits.data(), bytes_);
    push();
  }

 private:
  static constexpr size_t kBand = 64;
  static constexpr char kPattern = char(0xff);  // NaN in every float type: reading it shows
  template <class T>
  T* at() const {
    return reinterpret_cast<T*>(mirror_.data() + kBand);
  }
  Tensor all() const { return memory_.tensor({int64_t(mirror_.size())}, DType::u8); }
  Tensor mirror() const {
    return tensor_of(reinterpret_cast<uint8_t*>(mirror_.data()), {int64_t(mirror_.size())});
  }
  void push() {
    copy(stream(), all(), mirror());
    stream().synchronize();
  }
  void pull() const {
    copy(stream(), mirror(), all());
    stream().synchronize();
  }
  // One for all operands on a device: a stream for each would cost a GPU more than the op. It lives as
  // long as the process, because operands may be static.
  Stream& stream() const {
    static Stream* host = new Stream(Device::cpu);
    if (tensor.device == Device::cpu) return *host;
    static Stream* device = new Stream(Device::cuda);
    return *device;
  }

  size_t bytes_;
  mutable std::vector<char> mirror_;
  Buffer memory_;
};

inline Doubles random_normal(int64_t count, uint64_t seed) {
  Random random(seed, RandomUse::test);
  Doubles values(size_t(count), 0.0);
  for (double& v : values) v = double(random.normal());
  return values;
}

// max |got - want| / (|want| + root mean square of want), where want is finite; 1e30 if elsewhere got is not the same
// infinity, or not NaN, or if it is not finite where want is.
inline double relative_error(const Doubles& got, const Doubles& want) {
  double squares = 0, worst = 0;
  size_t finite = 0;
  for (double w : want)
    if (std::isfinite(w)) squares += w * w, ++finite;
  const double scale = std::sqrt(squares / double(std::max<size_t>(finite, 1))) + 1e-30;
  for (size_t i = 0; i < want.size(); ++i) {
    const bool same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
    if (same) continue;
    if (!std::isfinite(got[i]) || !std::isfinite(want[i])) return 1e30;
    worst = std::max(worst, std::abs(got[i] - want[i]) / (scale + std::abs(want[i])));
  }
  return worst;
}

}  // namespace laclip::test

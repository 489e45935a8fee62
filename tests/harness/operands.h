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

// A tensor between two guard bands.
class Guarded {
 public:
  Guarded(Shape shape, DType type)
      : bytes_(size_t(shape.elements() * size_of(type))), memory_(bytes_ + 2 * kBand, kPattern) {
    tensor = {memory_.data() + kBand, shape, type, Device::cpu};
  }
  Tensor tensor;
  void poison(int byte) { std::memset(tensor.data, byte, bytes_); }
  void store(const Doubles& values) {
    for (size_t i = 0; i < values.size(); ++i) switch (tensor.dtype) {
        case DType::f32:
          tensor.as<float>()[i] = float(values[i]);
          break;
        case DType::bf16:
          tensor.as<bf16>()[i] = bf16(float(values[i]));
          break;
        case DType::i32:
          tensor.as<int32_t>()[i] = int32_t(values[i]);
          break;
        default:
          tensor.as<uint8_t>()[i] = uint8_t(values[i]);
      }
  }
  Doubles load() const {
    Doubles values(size_t(tensor.elements()));
    for (size_t i = 0; i < values.size(); ++i) switch (tensor.dtype) {
        case DType::f32:
          values[i] = double(tensor.as<float>()[i]);
          break;
        case DType::bf16:
          values[i] = double(float(tensor.as<bf16>()[i]));
          break;
        case DType::i32:
          values[i] = double(tensor.as<int32_t>()[i]);
          break;
        default:
          values[i] = double(tensor.as<uint8_t>()[i]);
      }
    return values;
  }
  bool guards_intact() const {
    for (size_t i = 0; i < kBand; ++i)
      if (memory_[i] != kPattern || memory_[kBand + bytes_ + i] != kPattern) return false;
    return true;
  }
  std::string bits() const { return {memory_.begin() + kBand, memory_.end() - kBand}; }
  void set_bits(const std::string& bits) { std::memcpy(tensor.data, bits.data(), bytes_); }

 private:
  static constexpr size_t kBand = 64;
  static constexpr char kPattern = char(0xA5);
  size_t bytes_;
  std::vector<char> memory_;
};

inline Doubles random_normal(int64_t count, uint64_t seed) {
  Random random(seed, RandomUse::test);
  Doubles values(size_t(count), 0.0);
  for (double& v : values) v = double(random.normal());
  return values;
}

// max |got - want| / (|want| + root mean square of want)
inline double relative_error(const Doubles& got, const Doubles& want) {
  double squares = 0, worst = 0;
  for (double w : want) squares += w * w;
  const double scale = std::sqrt(squares / double(std::max<size_t>(want.size(), 1))) + 1e-30;
  for (size_t i = 0; i < want.size(); ++i)
    worst = std::max(worst, std::isnan(got[i])
                                ? 1e30
                                : std::abs(got[i] - want[i]) / (scale + std::abs(want[i])));
  return worst;
}

}  // namespace laclip::test

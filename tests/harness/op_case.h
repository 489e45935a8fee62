// The generic checks of an op. All that an op gives is sizes for the letters of its contract, its
// attributes, and a reference of a few lines, templated on the scalar:
//
//   const auto reference = [](auto& t) {                      // t.Scalar is double or Dual
//     for (int64_t i = 0; i < t('N') * t('C'); ++i) t["y"][i] = t["a"][i] + t["b"][i];
//   };
//   check_op(add, {{'N', 3}, {'C', 17}}, reference);
//   check_gradient(layernorm_forward, layernorm_backward, sizes, reference, {eps}, {});
//
// check_op: values against the reference in double, in fp32 and bf16; and the roles: Out poisoned
// before the call, Acc prefilled, In unchanged, guard bands untouched, the same bits with one
// thread, every wrong shape refused. check_gradient: ⟨dy, J v⟩ = ⟨Jᵀ dy, v⟩, where J v is the
// reference run on dual numbers; the operands of the backward op are recognised by name (dy belongs
// to y, dgamma to gamma); an output `loss` has the gradient 1.
#pragma once

#include <gtest/gtest.h>
#include <omp.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/philox.h"
#include "kernels/core/op.h"
#include "tests/harness/dual.h"
#include "tests/harness/tolerance.h"

namespace laclip::test {

using Sizes = std::map<char, int64_t>;
using Doubles = std::vector<double>;

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

inline DType type_of(const OperandRule& rule, DType activation) {
  switch (rule.type) {
    case TypeRule::f32:
      return DType::f32;
    case TypeRule::bf16:
      return DType::bf16;
    case TypeRule::i32:
      return DType::i32;
    case TypeRule::u8:
      return DType::u8;
    default:
      return activation;
  }
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

 private:
  static constexpr size_t kBand = 64;
  static constexpr char kPattern = char(0xA5);
  size_t bytes_;
  std::vector<char> memory_;
};

// Calls op with operands in the order of the contract and the attributes between them.
template <class... Args, class Attributes>
void call(const Op<void(Stream&, Args...)>& op, Stream& stream, const std::vector<Tensor>& operands,
          const Attributes& attributes) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    constexpr bool is_operand[] = {Operand<Args>...};
    auto before = [&](size_t index, bool operand) {
      size_t count = 0;
      for (size_t i = 0; i < index; ++i) count += is_operand[i] == operand;
      return count;
    };
    auto argument = [&]<size_t J>(std::integral_constant<size_t, J>) {
      using Arg = std::tuple_element_t<J, std::tuple<Args...>>;
      constexpr size_t attribute = [] {
        constexpr bool operand[] = {Operand<Args>...};
        size_t count = 0;
        for (size_t i = 0; i < J; ++i) count += !operand[i];
        return count;
      }();
      if constexpr (Operand<Arg>)
        return Arg(operands[before(J, true)]);
      else
        return std::get<attribute>(attributes);
    };
    op(stream, argument(std::integral_constant<size_t, I>{})...);
  }
  (std::index_sequence_for<Args...>{});
}

inline Doubles random_normal(int64_t count, uint64_t seed) {
  Random random(seed, RandomUse::test);
  Doubles values(size_t(count), 0.0);
  for (double& v : values) v = double(random.normal());
  return values;
}

// The random (or given) inputs of an op, rounded to the type they are stored in.
template <class Operator>
std::map<std::string, Guarded> make_operands(const Operator& op, const Sizes& sizes, DType type,
                                             const std::map<std::string, Doubles>& given) {
  std::map<std::string, Guarded> operands;
  for (int i = 0; i < op.contract().count; ++i) {
    const OperandRule& rule = op.contract().operands[size_t(i)];
    const std::string name(rule.name);
    Guarded operand(shape_of(rule, sizes), type_of(rule, type));
    const auto found = given.find(name);
    operand.store(found != given.end()
                      ? found->second
                      : random_normal(operand.tensor.elements(), 17 + uint64_t(i)));
    operands.emplace(name, std::move(operand));
  }
  return operands;
}

template <class Operator>
std::vector<Tensor> in_order(const Operator& op, std::map<std::string, Guarded>& operands,
                             const std::vector<std::string>& absent) {
  std::vector<Tensor> list;
  for (int i = 0; i < op.contract().count; ++i) {
    const std::string name(op.contract().operands[size_t(i)].name);
    const bool none = std::find(absent.begin(), absent.end(), name) != absent.end();
    list.push_back(none ? Tensor{} : operands.at(name).tensor);
  }
  return list;
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

template <class... Args>
std::vector<Role> roles_of(const Op<void(Stream&, Args...)>&) {
  std::vector<Role> roles;
  (
      [&] {
        if constexpr (Operand<Args>) roles.push_back(Args::role);
      }(),
      ...);
  return roles;
}

struct OpInputs {
  std::map<std::string, Doubles> given{};  // operands that are not random
  std::vector<std::string> absent{};       // optional operands passed as none
};

template <class Operator, class Reference, class... Attributes>
void check_op(const Operator& op, const Sizes& sizes, Reference reference,
              std::tuple<Attributes...> attributes = {}, const OpInputs& inputs = {},
              std::vector<DType> types = {DType::f32, DType::bf16}) {
  const Contract& contract = op.contract();
  const auto roles = roles_of(op);
  for (DType type : types) {
    SCOPED_TRACE(std::string(contract.op) + " in " + std::string(name_of(type)));
    Stream stream;
    auto operands = make_operands(op, sizes, type, inputs.given);
    const auto list = in_order(op, operands, inputs.absent);
    Values<double> values{sizes, {}};
    std::vector<std::string> before;
    for (int i = 0; i < contract.count; ++i) {
      const std::string name(contract.operands[size_t(i)].name);
      values.operands[name] = operands.at(name).load();
      before.push_back(operands.at(name).bits());
    }
    auto run = [&](int poison) {
      for (int i = 0; i < contract.count; ++i) {
        Guarded& operand = operands.at(std::string(contract.operands[size_t(i)].name));
        std::memcpy(operand.tensor.data, before[size_t(i)].data(), before[size_t(i)].size());
        if (roles[size_t(i)] == Role::out) operand.poison(poison);
      }
      call(op, stream, list, attributes);
      std::string bits;
      for (int i = 0; i < contract.outputs; ++i)
        if (list[size_t(i)])
          bits += operands.at(std::string(contract.operands[size_t(i)].name)).bits();
      return bits;
    };
    const std::string first = run(0xff);  // NaN in every float type
    EXPECT_EQ(first == run(0x00), true) << "the result depends on what was in an output before";
    const int threads = omp_get_max_threads();
    omp_set_num_threads(threads == 1 ? 2 : 1);
    EXPECT_EQ(first == run(0xff), true) << "the result depends on the number of threads";
    omp_set_num_threads(threads);

    reference(values);
    for (int i = 0; i < contract.count; ++i) {
      const std::string name(contract.operands[size_t(i)].name);
      const Guarded& operand = operands.at(name);
      EXPECT_TRUE(operand.guards_intact()) << name << ": written outside its bounds";
      if (roles[size_t(i)] == Role::in) {
        EXPECT_EQ(operand.bits() == before[size_t(i)], true) << name << ": an input was changed";
      } else if (list[size_t(i)]) {
        EXPECT_LT(relative_error(operand.load(), values[name]), value_tolerance(type)) << name;
      }
    }
    // Every operand with one more element in a dimension that another operand or dimension binds.
    for (size_t i = 0; i < list.size(); ++i) {
      for (int d = 0; d < list[i].shape.rank; ++d) {
        const char letter = contract.operands[i].dimensions[size_t(d)].symbol;
        int uses = 0;
        for (int j = 0; j < contract.count; ++j)
          for (int e = 0; e < contract.operands[size_t(j)].rank && list[size_t(j)]; ++e)
            uses += contract.operands[size_t(j)].dimensions[size_t(e)].symbol == letter;
        if (letter && uses < 2) continue;
        auto wrong = list;
        wrong[i].shape.sizes[size_t(d)] += 1;
        EXPECT_THROW(call(op, stream, wrong, attributes), Error)
            << contract.operands[i].name << " with a wrong dimension " << d;
      }
    }
  }
}

// Arguments of check_gradient: attributes of the forward and of the backward op.
template <class Forward, class Backward, class Reference, class... FA, class... BA>
void check_gradient(const Forward& forward, const Backward& backward, const Sizes& sizes,
                    Reference reference, std::tuple<FA...> forward_attributes,
                    std::tuple<BA...> backward_attributes, const OpInputs& inputs = {}) {
  SCOPED_TRACE(std::string(backward.contract().op));
  Stream stream;
  auto saved = make_operands(forward, sizes, DType::f32, inputs.given);
  call(forward, stream, in_order(forward, saved, inputs.absent), forward_attributes);

  auto operands = make_operands(backward, sizes, DType::f32, inputs.given);
  for (auto& [name, operand] : operands)
    if (auto found = saved.find(name); found != saved.end()) operand.store(found->second.load());
  const auto roles = roles_of(backward);
  for (int i = 0; i < backward.contract().outputs; ++i)
    if (roles[size_t(i)] == Role::acc)
      operands.at(std::string(backward.contract().operands[size_t(i)].name)).poison(0);
  call(backward, stream, in_order(backward, operands, inputs.absent), backward_attributes);

  // J v: each differentiable input gets a random direction.
  Values<Dual> values{sizes, {}};
  for (auto& [name, operand] : saved)
    for (double v : operand.load()) values.operands[name].push_back(Dual(v));
  double transpose = 0, scale = 0;
  uint64_t seed = 1000;
  for (int i = 0; i < backward.contract().outputs; ++i) {
    const std::string gradient(backward.contract().operands[size_t(i)].name);
    const std::string input = gradient.substr(1);
    ASSERT_TRUE(gradient[0] == 'd' && values.operands.count(input)) << gradient;
    if (std::count(inputs.absent.begin(), inputs.absent.end(), gradient)) continue;
    const Doubles direction = random_normal(int64_t(values[input].size()), seed++);
    const Doubles g = operands.at(gradient).load();
    double term = 0;
    for (size_t j = 0; j < g.size(); ++j) {
      values[input][j].slope = direction[j];
      transpose += g[j] * direction[j];
      term += g[j] * g[j];
    }
    scale += std::sqrt(term * double(g.size()));
  }
  reference(values);
  double forward_product = 0;
  for (int i = 0; i < forward.contract().outputs; ++i) {
    const std::string output(forward.contract().operands[size_t(i)].name);
    const auto dy = operands.find("d" + output);
    if (dy == operands.end() && output != "loss") continue;  // a saved statistic, no cotangent
    const Doubles cotangent = output == "loss" ? Doubles{1} : dy->second.load();
    for (size_t j = 0; j < cotangent.size(); ++j)
      forward_product += cotangent[j] * values[output][j].slope;
  }
  EXPECT_GT(scale, 0);
  // The dot products are sums of `scale`-sized random terms; the error is measured against them.
  EXPECT_LT(std::abs(forward_product - transpose) / scale, kGradientTolerance)
      << "J v gives " << forward_product << ", the backward op " << transpose;
}

}  // namespace laclip::test

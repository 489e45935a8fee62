#include "kernels/core/contract.h"

#include <optional>

namespace laclip {
namespace {

struct Bindings {
  std::array<int64_t, 128> size;
  std::array<const OperandRule*, 128> by{};  // the operand that bound the letter
  std::array<const Tensor*, 128> tensor{};
};

bool type_fits(TypeRule rule, DType type) {
  switch (rule) {
    case TypeRule::activation:
    case TypeRule::any_float:
      return type == DType::f32 || type == DType::bf16;
    case TypeRule::f32:
      return type == DType::f32;
    case TypeRule::bf16:
      return type == DType::bf16;
    case TypeRule::i32:
      return type == DType::i32;
    case TypeRule::u8:
      return type == DType::u8;
  }
  return false;
}

}  // namespace

void Contract::check(const Tensor* const* tensors, Device device) const {
  Bindings bound{};
  const OperandRule* typed = nullptr;
  DType activation{};
  for (int i = 0; i < count; ++i) {
    const OperandRule& rule = operands[size_t(i)];
    const Tensor& tensor = *tensors[i];
    if (!tensor) {
      laclip::check(rule.optional, "{}: {} is missing", op, rule.name);
      continue;
    }
    laclip::check(tensor.device == device, "{}: {} lies on {} but the stream runs on {}", op,
                  rule.name, name_of(tensor.device), name_of(device));
    laclip::check(tensor.shape.rank == rule.rank, "{}: {} is {}, but {} dimensions are needed ({})",
                  op, rule.name, tensor.shape.text(), rule.rank, text);
    laclip::check(type_fits(rule.type, tensor.dtype), "{}: {} cannot be {} ({})", op, rule.name,
                  name_of(tensor.dtype), text);
    if (rule.type == TypeRule::activation) {
      if (!typed) typed = &rule, activation = tensor.dtype;
      laclip::check(tensor.dtype == activation, "{}: {} is {} but {} is {}", op, rule.name,
                    name_of(tensor.dtype), typed->name, name_of(activation));
    }
    for (int d = 0; d < rule.rank; ++d) {
      const DimensionRule& dimension = rule.dimensions[size_t(d)];
      const auto letter = size_t(dimension.symbol);
      if (letter && dimension.multiple == 1 && dimension.offset == 0 && !bound.by[letter]) {
        bound.size[letter] = tensor[d];
        bound.by[letter] = &rule;
        bound.tensor[letter] = &tensor;
      }
    }
  }
  for (int i = 0; i < count; ++i) {
    const OperandRule& rule = operands[size_t(i)];
    const Tensor& tensor = *tensors[i];
    if (!tensor) continue;
    for (int d = 0; d < rule.rank; ++d) {
      const DimensionRule& dimension = rule.dimensions[size_t(d)];
      const auto letter = size_t(dimension.symbol);
      if (letter && !bound.by[letter]) continue;
      const int64_t wanted =
          letter ? dimension.multiple * bound.size[letter] + dimension.offset : dimension.offset;
      if (tensor[d] == wanted) continue;
      if (!letter)
        fail("{}: {} is {} but dimension {} must be {}", op, rule.name, tensor.shape.text(), d,
             wanted);
      fail("{}: {} is {} but {} = {} ({} is {})", op, rule.name, tensor.shape.text(),
           dimension.symbol, bound.size[letter], bound.by[letter]->name,
           bound.tensor[letter]->shape.text());
    }
  }
}

}  // namespace laclip

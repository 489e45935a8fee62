// The generic check of an op's values. All that an op gives is sizes for the letters of its
// contract, its attributes, and a reference of a few lines, templated on the scalar:
//
//   const auto reference = [](auto& t) {                      // t.Scalar is double or Dual
//     for (int64_t i = 0; i < t('N') * t('C'); ++i) t["y"][i] = t["a"][i] + t["b"][i];
//   };
//   check_op(add, {{'N', 3}, {'C', 17}}, reference);
//
// The reference runs in double on the operands as they are stored, in fp32 and in bf16, on the CPU
// and as CUDA kernels; an Acc is
// filled with random values before and must be added to. The roles are checked too (op_call.h).
#pragma once

#include "tests/harness/op_call.h"
#include "tests/harness/tolerance.h"

namespace laclip::test {

template <class Operator, class Reference, class... Attributes>
void check_op(const Operator& op, const Sizes& sizes, Reference reference,
              std::tuple<Attributes...> attributes = {}, const OpInputs& inputs = {}) {
  for (const auto& [device, type] : variants_of(op)) {
    SCOPED_TRACE(trace(op, device, type));
    OpCall call(op, sizes, type, attributes, inputs, device);
    Values<double> values{sizes, {}};
    for (const auto& item : call.items()) values.operands[item.name] = item.memory.load();
    call.check_roles();
    reference(values);
    for (const auto& item : call.items()) {
      if (item.role == Role::in || item.absent) continue;
      EXPECT_LE(relative_error(item.memory.load(), values[item.name]),
                value_tolerance(item.memory.tensor.dtype))
          << item.name;
    }
  }
}

}  // namespace laclip::test

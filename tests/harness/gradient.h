// The generic check of a backward op against the forward op's reference (op_case.h):
//
//   check_gradient(layernorm_forward, layernorm_backward, sizes, reference, {eps}, {});
//
// Operands of the backward op are recognised by name: dy belongs to y, dgamma to gamma, and what
// forward has saved is passed on; an output `loss` has the gradient 1.
//
// In fp32, for each gradient dx by itself: ⟨dy, J v⟩ = ⟨dx, v⟩, where v is a random direction of x
// and J v the reference run on dual numbers. In bf16, the gradients agree with those of the fp32 op
// on the same (rounded) operands. In both, the roles are checked (op_call.h), and what an Acc
// holds afterwards is what it held before plus the gradient.
#pragma once

#include "tests/harness/dual.h"
#include "tests/harness/op_call.h"
#include "tests/harness/tolerance.h"

namespace laclip::test {

using Gradients = std::map<std::string, Doubles>;

// The gradients that a backward call gives; an Acc starts from zero.
inline Gradients gradients_of(OpCall& backward) {
  Gradients gradients;
  for (auto& item : backward.items())
    if (item.role == Role::acc) item.memory.poison(0);
  backward.run();
  for (const auto& item : backward.items())
    if (item.role != Role::in && !item.absent) gradients[item.name] = item.memory.load();
  return gradients;
}

// The same with all checks of roles on the way.
inline Gradients checked_gradients_of(OpCall& backward) {
  Gradients sums;
  for (const auto& item : backward.items())
    if (item.role == Role::acc) sums[item.name] = item.memory.load();
  backward.check_roles();
  Gradients totals;
  for (const auto& item : backward.items()) totals[item.name] = item.memory.load();
  const Gradients gradients = gradients_of(backward);
  for (const auto& [name, gradient] : gradients) {
    if (!sums.count(name)) continue;
    for (size_t i = 0; i < gradient.size(); ++i) sums[name][i] += gradient[i];
    EXPECT_LE(relative_error(totals[name], sums[name]), value_tolerance(DType::f32))
        << name << " is not what it was before plus the gradient";
  }
  return gradients;
}

// ⟨dx, v⟩ for a random v against ⟨dy, J v⟩. If dx is off by e, they differ by ⟨e, v⟩, whose
// standard deviation is ‖e‖: the error is measured against ‖dx‖, and so stands for ‖e‖ / ‖dx‖.
template <class Reference>
void check_direction(const std::string& name, const Doubles& gradient, Values<Dual> values,
                     Reference reference, OpCall& forward, OpCall& backward, uint64_t seed) {
  auto& x = values[name.substr(1)];
  ASSERT_EQ(x.size(), gradient.size()) << name;
  const Doubles direction = random_normal(int64_t(x.size()), seed);
  double squares = 0, by_gradient = 0, by_reference = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    x[i].slope = direction[i];
    by_gradient += gradient[i] * direction[i];
    squares += gradient[i] * gradient[i];
  }
  reference(values);
  for (const auto& item : forward.items()) {
    const auto* dy = backward.find("d" + item.name);
    const bool given = dy != nullptr && dy->role == Role::in;
    if (item.role == Role::in || (!given && item.name != "loss")) continue;  // a saved statistic
    const Doubles cotangent = given ? dy->memory.load() : Doubles{1};
    for (size_t i = 0; i < cotangent.size(); ++i)
      by_reference += cotangent[i] * values[item.name][i].slope;
  }
  EXPECT_GT(squares, 0) << name;
  EXPECT_LE(std::abs(by_reference - by_gradient) / std::sqrt(squares), kGradientTolerance)
      << name << ": J v gives " << by_reference << ", the backward op " << by_gradient;
}

// Arguments: attributes of the forward and of the backward op.
template <class Forward, class Backward, class Reference, class... FA, class... BA>
void check_gradient(const Forward& forward, const Backward& backward, const Sizes& sizes,
                    Reference reference, std::tuple<FA...> forward_attributes,
                    std::tuple<BA...> backward_attributes, const OpInputs& inputs = {}) {
  for (const auto& [device, type] : variants_of(backward)) {
    SCOPED_TRACE(trace(backward, device, type));
    OpCall there(forward, sizes, type, forward_attributes, inputs, device);
    Values<Dual> values{sizes, {}};
    for (const auto& item : there.items())
      for (double x : item.memory.load()) values.operands[item.name].push_back(Dual(x));
    there.run();
    OpCall back(backward, sizes, type, backward_attributes, inputs, device);
    for (auto& item : back.items())
      if (const auto* saved = there.find(item.name)) item.memory.store(saved->memory.load());
    const Gradients gradients = checked_gradients_of(back);
    if (type == DType::f32) {
      uint64_t seed = 1000;
      for (const auto& [name, gradient] : gradients)
        check_direction(name, gradient, values, reference, there, back, seed++);
    } else {
      OpCall exact(backward, sizes, DType::f32, backward_attributes, inputs, device);
      for (auto& item : exact.items())
        if (item.role == Role::in) item.memory.store(back.find(item.name)->memory.load());
      for (const auto& [name, gradient] : gradients_of(exact))
        EXPECT_LE(relative_error(gradients.at(name), gradient),
                  value_tolerance(inputs.rounded_terms ? type
                                                       : back.find(name)->memory.tensor.dtype))
            << name;
    }
  }
}

}  // namespace laclip::test

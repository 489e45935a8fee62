// One op with its operands, and the checks that follow from their roles alone:
//   Out poisoned in two ways before the call, In unchanged after it, guard bands untouched, the
//   same bits on one thread and on several in tasks of one row, every wrong shape refused. Where
//   kernels run on the host, each is run in all orders of its threads (kernels/simt/settings.h).
#pragma once

#include <gtest/gtest.h>
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <tuple>
#include <utility>

#include "kernels/core/op.h"
#include "tests/harness/operands.h"
#include "tests/harness/prove_kernels.h"
#include "tests/harness/task_settings.h"

namespace laclip::test {

// Calls op with operands in the order of the contract and the attributes between them.
template <class... Args, class Attributes>
void invoke(const Op<void(Stream&, Args...)>& op, Stream& stream,
            const std::vector<Tensor>& operands, const Attributes& attributes) {
  auto argument = [&]<size_t J>(std::integral_constant<size_t, J>) {
    using Arg = std::tuple_element_t<J, std::tuple<Args...>>;
    constexpr size_t operands_before = [] {
      constexpr bool operand[] = {Operand<Args>...};
      size_t count = 0;
      for (size_t i = 0; i < J; ++i) count += operand[i];
      return count;
    }();
    if constexpr (Operand<Arg>)
      return Arg(operands[operands_before]);
    else
      return std::get<J - operands_before>(attributes);
  };
  [&]<size_t... J>(std::index_sequence<J...>) {
    op(stream, argument(std::integral_constant<size_t, J>{})...);
  }
  (std::index_sequence_for<Args...>{});
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

// The devices on which ops are to be tested. LACLIP_TEST_DEVICE=cpu or cuda names one.
inline std::vector<Device> test_devices() {
  const char* only = std::getenv("LACLIP_TEST_DEVICE");
  std::vector<Device> devices;
  for (Device device : {Device::cpu, Device::cuda})
    if (!only || name_of(device) == only) devices.push_back(device);
  return devices;
}

// Devices and activation types.
template <class Operator>
std::vector<std::pair<Device, DType>> variants_of(const Operator& op) {
  std::vector<std::pair<Device, DType>> variants;
  for (Device device : test_devices())
    for (DType type : types_of(op.contract())) variants.emplace_back(device, type);
  return variants;
}
template <class Operator>
std::string trace(const Operator& op, Device device, DType type) {
  return fmt::format("{} on {} in {}", op.contract().op, name_of(device), name_of(type));
}

class OpCall {
 public:
  struct Item {
    std::string name;
    Role role;
    bool absent;
    Guarded memory;
  };

  template <class Operator, class... Attributes>
  OpCall(const Operator& op, const Sizes& sizes, DType type, std::tuple<Attributes...> attributes,
         const OpInputs& inputs, Device device = Device::cpu)
      : contract_(op.contract()),
        stream_(device),
        invoke_([&op, attributes](Stream& stream, const auto& tensors) {
          invoke(op, stream, tensors, attributes);
        }) {
    const auto roles = roles_of(op);
    for (int i = 0; i < contract_.count; ++i) {
      const OperandRule& rule = contract_.operands[size_t(i)];
      const std::string name(rule.name);
      Guarded memory(shape_of(rule, sizes), type_of(rule, type, inputs), device);
      const auto given = inputs.given.find(name);
      memory.store(given != inputs.given.end()
                       ? given->second
                       : random_normal(memory.tensor.elements(), 17 + uint64_t(i)));
      const bool absent = std::count(inputs.absent.begin(), inputs.absent.end(), name) > 0;
      items_.push_back({name, roles[size_t(i)], absent, std::move(memory)});
    }
  }

  std::vector<Item>& items() { return items_; }
  Item* find(const std::string& name) {
    for (Item& item : items_)
      if (item.name == name) return &item;
    return nullptr;
  }
  void run() {
    const ProveKernels prove(stream_.device());
    dirty_scratch();
    invoke_(stream_, tensors());
    stream_.synchronize();
  }

  // Leaves the outputs of a run on the operands as they were.
  void check_roles() {
    std::vector<std::string> before;
    for (const Item& item : items_) before.push_back(item.memory.bits());
    auto run_poisoned = [&](int poison) {
      std::string outputs;
      for (size_t i = 0; i < items_.size(); ++i) {
        items_[i].memory.set_bits(before[i]);
        if (items_[i].role == Role::out) items_[i].memory.poison(poison);
      }
      run();
      for (const Item& item : items_)
        if (item.role != Role::in && !item.absent) outputs += item.memory.bits();
      return outputs;
    };
    const std::string first = run_poisoned(0xff);  // NaN in every float type
    EXPECT_TRUE(first == run_poisoned(0x00))
        << "the result depends on what was in an output before";
    if (stream_.device() == Device::cpu) {
      for (int threads : {1, std::max(thread_count(), 3)}) {
        const TaskSettings one_row_a_task(threads, 1);
        EXPECT_TRUE(first == run_poisoned(0xff))
            << "the result depends on how " << threads << " threads share the work";
      }
    }
    for (size_t i = 0; i < items_.size(); ++i) {
      const Item& item = items_[i];
      EXPECT_TRUE(item.memory.guards_intact()) << item.name << ": written outside its bounds";
      if (item.role == Role::in) {
        EXPECT_TRUE(item.memory.bits() == before[i]) << item.name << ": an input was changed";
      }
    }
    check_wrong_shapes();
  }

 private:
  std::vector<Tensor> tensors() const {
    std::vector<Tensor> list;
    for (const Item& item : items_) list.push_back(item.absent ? Tensor{} : item.memory.tensor);
    return list;
  }

  // Ops must not rely on what their working memory held before: NaN in every float type.
  void dirty_scratch() {
    for (Scratch* scratch : {&stream_.scratch(), &stream_.workspace()}) {
      const int64_t bytes = scratch->bytes();
      const std::vector<uint8_t> dirt(size_t(bytes), 0xff);
      if (bytes > 0)
        copy(stream_, {scratch->reserve_bytes(bytes), {bytes}, DType::u8, stream_.device()},
             tensor_of(dirt));
    }
  }

  // Every operand with one more element in a dimension that another operand or dimension binds.
  void check_wrong_shapes() {
    const auto list = tensors();
    auto uses = [&](char letter) {
      int count = 0;
      for (size_t i = 0; i < list.size(); ++i)
        for (int d = 0; d < contract_.operands[i].rank && list[i]; ++d)
          count += contract_.operands[i].dimensions[size_t(d)].symbol == letter;
      return count;
    };
    for (size_t i = 0; i < list.size(); ++i)
      for (int d = 0; d < list[i].shape.rank; ++d) {
        const char letter = contract_.operands[i].dimensions[size_t(d)].symbol;
        if (letter && uses(letter) < 2) continue;
        auto wrong = list;
        wrong[i].shape.sizes[size_t(d)] += 1;
        EXPECT_THROW(invoke_(stream_, wrong), Error)
            << items_[i].name << " with a wrong dimension " << d;
      }
  }

  const Contract& contract_;
  Stream stream_;
  std::function<void(Stream&, const std::vector<Tensor>&)> invoke_;
  std::vector<Item> items_;
};

}  // namespace laclip::test

// Step: what every layer needs while it runs.
#pragma once

#include <array>
#include <vector>

#include "kernels/core/memory.h"
#include "kernels/core/stream.h"

namespace laclip {

struct Step {
  Stream& stream;
  Arena& arena;              // activations and gradients of activations, in stack order
  DType dtype = DType::f32;  // of activations: f32 or bf16

  Tensor tensor(Shape shape) const { return arena.tensor(shape, dtype); }
  Tensor statistics(Shape shape) const { return arena.tensor(shape, DType::f32); }
  // What lies in host memory, where the ops can read it: itself on the CPU, else a copy in the
  // arena. What is on the device already stays there.
  Tensor on_device(const Tensor& host) const {
    if (stream.device() == Device::cpu || host.device == Device::cuda) return host;
    const Tensor there = arena.tensor(host.shape, host.dtype);
    copy(stream, there, host);
    return there;
  }
  // The same of several lists, brought by one copy. An empty one is a null tensor.
  template <size_t N>
  std::array<Tensor, N> on_device(const std::array<const std::vector<int32_t>*, N>& lists) const {
    std::array<Tensor, N> tensors;
    if (stream.device() == Device::cpu) {
      for (size_t i = 0; i < N; ++i)
        if (!lists[i]->empty()) tensors[i] = tensor_of(*lists[i]);
      return tensors;
    }
    std::vector<int32_t> all;
    for (const auto* list : lists) all.insert(all.end(), list->begin(), list->end());
    const Tensor there = on_device(tensor_of(all));
    int64_t begin = 0;
    for (size_t i = 0; i < N; ++i) {
      const auto count = int64_t(lists[i]->size());
      if (count > 0) tensors[i] = there.rows(begin, count);
      begin += count;
    }
    return tensors;
  }
};

}  // namespace laclip

// Step: what every layer needs while it runs.
#pragma once

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
  // arena.
  Tensor on_device(const Tensor& host) const {
    if (stream.device() == Device::cpu) return host;
    const Tensor there = arena.tensor(host.shape, host.dtype);
    copy(stream, there, host);
    return there;
  }
};

}  // namespace laclip

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
};

}  // namespace laclip

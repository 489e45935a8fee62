// y = W_down (silu(W_gate x) · W_up x) + skip, LLaMA's SwiGLU; gate and up are one matrix.
#pragma once

#include "engine/layers/linear.h"
#include "kernels/ops/activation.h"

namespace laclip {

struct GatedMlp {
  Linear gate_up, down;

  int64_t width() const { return gate_up.outputs() / 2; }
  struct Saved {
    Tensor x, gate_up, h;  // [N C] [N 2F] [N F]
  };
  Saved forward(Step& step, Tensor x, Out y, In skip) const {
    const Saved s{x, step.tensor({x[0], 2 * width()}), step.tensor({x[0], width()})};
    gate_up.forward(step, x, s.gate_up);
    swiglu_forward(step.stream, s.h, s.gate_up);
    down.forward(step, s.h, y, skip);
    return s;
  }
  void backward(Step& step, const Saved& s, In dy, Out dx) const {
    const ArenaScope scope(step.arena);
    const Tensor dh = step.tensor(s.h.shape), dgate_up = step.tensor(s.gate_up.shape);
    down.backward(step, dy, s.h, dh);
    swiglu_backward(step.stream, dgate_up, dh, s.gate_up);
    gate_up.backward(step, dgate_up, s.x, dx);
  }
};

}  // namespace laclip

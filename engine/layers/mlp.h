// y = W_2 act(W_1 x)
#pragma once

#include "engine/layers/linear.h"
#include "kernels/ops/activation.h"

namespace laclip {

struct Mlp {
  Linear widen, narrow;
  Activation activation = Activation::gelu;

  struct Saved {
    Tensor x, u, h;  // [N C] [N F] [N F]: before and after the activation
  };
  Saved forward(Step& step, Tensor x, Out y) const {
    const Saved saved{x, step.tensor({x[0], widen.outputs()}),
                      step.tensor({x[0], widen.outputs()})};
    widen.forward(step, x, saved.u);
    activation_forward(step.stream, saved.h, saved.u, activation);
    narrow.forward(step, saved.h, y);
    return saved;
  }
  void backward(Step& step, const Saved& saved, In dy, Out dx) const {
    const ArenaScope scope(step.arena);
    const Tensor dh = step.tensor(saved.h.shape), du = step.tensor(saved.u.shape);
    narrow.backward(step, dy, saved.h, dh);
    activation_backward(step.stream, du, dh, saved.u, activation);
    widen.backward(step, du, saved.x, dx);
  }
};

}  // namespace laclip

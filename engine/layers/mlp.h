// y = W_2 act(W_1 x) + skip
#pragma once

#include "engine/layers/linear.h"

namespace laclip {

struct Mlp {
  Linear widen, narrow;
  Activation activation = Activation::gelu;

  struct Saved {
    Tensor x, u, h;  // [N C] [N F] [N F]: before and after the activation
  };
  Saved forward(Step& step, Tensor x, Out y, In skip) const {
    const Saved saved{x, step.tensor({x[0], widen.outputs()}),
                      step.tensor({x[0], widen.outputs()})};
    widen.forward_activation(step, x, saved.h, saved.u, activation);
    narrow.forward(step, saved.h, y, skip);
    return saved;
  }
  void backward(Step& step, const Saved& saved, In dy, Out dx) const {
    const ArenaScope scope(step.arena);
    const Tensor du = step.tensor(saved.u.shape);
    narrow.backward_activation(step, dy, saved.h, du, saved.u, activation);
    widen.backward(step, du, saved.x, dx);
  }
};

}  // namespace laclip

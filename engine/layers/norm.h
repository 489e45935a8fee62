// Layer normalisation with its parameters.
#pragma once

#include "engine/parameter.h"
#include "engine/step.h"
#include "kernels/ops/layernorm.h"

namespace laclip {

struct LayerNorm {
  const Parameter* gamma = nullptr;  // [C]
  const Parameter* beta = nullptr;   // [C]
  float eps = 1e-5f;

  struct Saved {
    Tensor mean, rstd;  // [N] [N]
  };
  Saved forward(Step& step, In x, Out y) const {
    const Saved saved{step.statistics({x[0]}), step.statistics({x[0]})};
    layernorm_forward(step.stream, y, saved.mean, saved.rstd, x, gamma->value, beta->value, eps);
    return saved;
  }
  // dx = what comes through the norm + dskip, the gradient that reaches x by another way
  void backward(Step& step, const Saved& saved, In dy, In x, Out dx, In dskip = none) const {
    layernorm_backward(step.stream, dx, gamma->gradient, beta->gradient, dy, x, saved.mean,
                       saved.rstd, gamma->value, dskip);
  }
};

}  // namespace laclip

// Root-mean-square normalisation with its parameter.
#pragma once

#include "engine/parameter.h"
#include "engine/step.h"
#include "kernels/ops/rmsnorm.h"

namespace laclip {

struct RmsNorm {
  const Parameter* gamma = nullptr;  // [C]
  float eps = 1e-5f;

  struct Saved {
    Tensor rstd;  // [N]
  };
  Saved forward(Step& step, In x, Out y) const {
    const Saved saved{step.statistics({x[0]})};
    rmsnorm_forward(step.stream, y, saved.rstd, x, gamma->value, eps);
    return saved;
  }
  // dx = what comes through the norm + dskip, the gradient that reaches x by another way
  void backward(Step& step, const Saved& saved, In dy, In x, Out dx, In dskip = none) const {
    rmsnorm_backward(step.stream, dx, gamma->gradient, dy, x, saved.rstd, gamma->value, dskip);
  }
};

}  // namespace laclip

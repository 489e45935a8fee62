// y = x wᵀ + b and y = x w, with their parameters.
#pragma once

#include "engine/parameter.h"
#include "engine/step.h"
#include "kernels/ops/linear.h"

namespace laclip {

struct Linear {  // w[O C], b[O] or none
  const Parameter* w = nullptr;
  const Parameter* b = nullptr;

  int64_t outputs() const { return w->shape[0]; }
  // y = linear(x) + skip, what goes around the block; y may be skip
  void forward(Step& step, In x, Out y, In skip = none) const {
    linear_forward(step.stream, y, x, weight(w->value), bias(), skip);
  }
  void backward(Step& step, In dy, In x, Out dx) const {
    linear_backward_weight(step.stream, weight(w->gradient), b ? Acc(b->gradient) : Acc(none), dy,
                           x);
    if (dx) linear_backward_input(step.stream, dx, dy, weight(w->value));
  }
  // h = act(u), u = linear(x); u may be none
  void forward_activation(Step& step, In x, Out h, Out u, Activation kind) const {
    linear_activation_forward(step.stream, h, u, x, weight(w->value), bias(), kind);
  }
  // du = through this map and the activation that made x = act(u)
  void backward_activation(Step& step, In dy, In x, Out du, In u, Activation kind) const {
    backward(step, dy, x, none);
    linear_activation_backward(step.stream, du, dy, weight(w->value), u, kind);
  }

 private:
  In bias() const { return b ? In(b->value) : In(none); }
  // A convolution over whole patches is stored [O I p p]; as a matrix it is [O I·p·p].
  static Tensor weight(const Tensor& t) { return t.view({t[0], t.elements() / t[0]}); }
};

struct Projection {  // w[C O]
  const Parameter* w = nullptr;

  void forward(Step& step, In x, Out y) const { project_forward(step.stream, y, x, w->value); }
  void backward(Step& step, In dy, In x, Out dx) const {
    project_backward_weight(step.stream, w->gradient, dy, x);
    project_backward_input(step.stream, dx, dy, w->value);
  }
};

}  // namespace laclip

// Activations and their slopes as formulas, on doubles and on dual numbers.
#pragma once

#include <cmath>

#include "kernels/ops/activation.h"

namespace laclip::test {

template <class V>
V activation_reference(const V& u, Activation kind) {
  using std::erf, std::exp;
  return kind == Activation::gelu ? 0.5 * u * (1.0 + erf(u * 0.70710678118654752))
                                  : u / (1.0 + exp(-1.702 * u));
}
inline double slope_reference(double u, Activation kind) {
  if (kind == Activation::gelu)
    return 0.5 * std::erfc(-u * 0.70710678118654752) +
           u * 0.39894228040143268 * std::exp(-0.5 * u * u);
  const double s = 1.0 / (1.0 + std::exp(-1.702 * u));
  return s * (1.0 + 1.702 * u * (1.0 - s));
}

}  // namespace laclip::test

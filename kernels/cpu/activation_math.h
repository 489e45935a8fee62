// The activations and their slopes, of one value; loops over them vectorise.
#pragma once

#include "kernels/cpu/vector_math.h"
#include "kernels/ops/activation.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

struct Gelu {
  static float value(float x) { return x * normal_cumulative(x, gaussian(x)); }
  static float slope(float x) {
    const float e = gaussian(x);
    return normal_cumulative(x, e) + x * normal_density(e);
  }
};
struct QuickGelu {
  static constexpr float kSteepness = 1.702f;
  static float value(float x) { return x * sigmoid(kSteepness * x); }
  static float slope(float x) {
    const float s = sigmoid(kSteepness * x);
    return s * (1.0f + kSteepness * x * (1.0f - s));
  }
};

template <class Body>
void with_activation(Activation kind, Body&& body) {
  if (kind == Activation::gelu)
    body(Gelu{});
  else
    body(QuickGelu{});
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

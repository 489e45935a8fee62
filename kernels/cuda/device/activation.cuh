// The functions of kernels/ops/activation.h and their slopes, an element each.
#pragma once

#include "kernels/cuda/device/cuda.cuh"

namespace laclip::cuda {

// 1 / (1 + e^-x) with the approximations of the special-function unit; 0 where e^-x overflows.
__device__ inline float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

// e^(-x²/2), which both the density and the distribution of the standard normal are made of.
__device__ inline float gaussian(float x) { return __expf(-0.5f * x * x); }

// Φ(x), given e = gaussian(x), absolute error below 2e-7: Abramowitz & Stegun 7.1.26, as on the CPU.
__device__ inline float normal_cumulative(float x, float e) {
  const float z = fabsf(x) * 0.70710678118654752f;
  const float t = __fdividef(1.0f, 1.0f + 0.3275911f * z);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  return 0.5f + copysignf(0.5f - 0.5f * p * t * e, x);
}

struct Gelu {
  __device__ static float value(float x) { return x * normal_cumulative(x, gaussian(x)); }
  __device__ static float slope(float x) {
    const float e = gaussian(x), density = 0.39894228040143268f * e;  // φ(x) = e / √(2π)
    return normal_cumulative(x, e) + x * density;
  }
};
struct QuickGelu {
  static constexpr float kSteepness = 1.702f;
  __device__ static float value(float x) { return x * sigmoid(kSteepness * x); }
  __device__ static float slope(float x) {
    const float s = sigmoid(kSteepness * x);
    return s * (1.0f + kSteepness * x * (1.0f - s));
  }
};

}  // namespace laclip::cuda

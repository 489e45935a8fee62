// Elementary functions written so that the compiler vectorises loops over them.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace laclip::cpu::LACLIP_CPU_LEVEL {

// e^x with a relative error below 2e-7; 0 below -87.3, x above 88.3 is taken as 88.3; NaN for every NaN.
// x = n ln2 + r, |r| <= ln2/2; e^r by its Taylor polynomial of degree 7; 2^n in the exponent bits.
inline float fast_exp(float x) {
  constexpr float kLog2e = 1.44269504088896341f;
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;  // Cody-Waite split of ln 2
  const bool tiny = x < -87.3f;
  x = x < -87.3f ? -87.3f : x > 88.3f ? 88.3f : x;
  // Adding 1.5·2²³ rounds to the nearest integer, which then stands in the low mantissa bits.
  const float shifted = x * kLog2e + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // A factor, because adding n to the exponent bits of p would make numbers of some NaNs.
  const int32_t power = (std::bit_cast<int32_t>(shifted) << 23) + std::bit_cast<int32_t>(1.0f);
  const float y = p * std::bit_cast<float>(power);
  return tiny ? 0.0f : y;
}

inline float sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }

// e^(-x²/2), which both the density and the distribution of the standard normal are made of.
inline float gaussian(float x) { return fast_exp(-0.5f * x * x); }

// φ(x) = e^(-x²/2) / √(2π), given e = gaussian(x).
inline float normal_density(float e) { return 0.39894228040143268f * e; }

// Φ(x), given e = gaussian(x), absolute error below 2e-7: Abramowitz & Stegun 7.1.26's form with
// t = 1/(1 + p|z|), z = x/√2, coefficients of 7.1.26 (error of erf below 1.5e-7).
inline float normal_cumulative(float x, float e) {
  const float z = std::fabs(x) * 0.70710678118654752f;
  const float t = 1.0f / (1.0f + 0.3275911f * z);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  return 0.5f + std::copysign(0.5f - 0.5f * p * t * e, x);  // no branch, so that loops vectorise
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

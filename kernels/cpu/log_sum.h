// A running log-sum-exp: log Σ = max + log(sum).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/cpu/vector_math.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

struct LogSum {
  float max = -std::numeric_limits<float>::infinity(), sum = 0;
  void add(const float* values, int64_t count, int64_t stride) {
    float largest = max;
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, values[i * stride]);
    float total = sum * std::exp(max - largest);
    for (int64_t i = 0; i < count; ++i) total += fast_exp(values[i * stride] - largest);
    max = largest;
    sum = total;
  }
  float value() const { return max + std::log(sum); }
};

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

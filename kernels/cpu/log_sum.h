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
    if (stride == 1) return add_values(values, count, [](int64_t i) { return i; });
    add_values(values, count, [stride](int64_t i) { return i * stride; });
  }
  float value() const { return max + std::log(sum); }

 private:
  template <class Place>
  void add_values(const float* values, int64_t count, Place place) {
    float largest = max;
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, values[place(i)]);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < count; ++i) total += fast_exp(values[place(i)] - largest);
    sum = sum * std::exp(max - largest) + total;
    max = largest;
  }
};

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

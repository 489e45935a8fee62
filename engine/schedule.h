// The learning rate of a step: linear warm-up, then cosine or constant.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace laclip {

struct Schedule {
  double start = 0, peak = 5e-4, end = 0;
  int64_t warmup = 0, steps = 1;  // of the warm-up; of the whole run
  bool cosine = true;

  double at(int64_t step) const {  // step = 0 .. steps-1
    if (step < warmup) return start + (peak - start) * double(step + 1) / double(warmup);
    if (!cosine) return peak;
    const double done = double(step - warmup) / double(std::max<int64_t>(steps - warmup, 1));
    return end + 0.5 * (peak - end) * (1 + std::cos(std::numbers::pi * std::min(done, 1.0)));
  }
};

}  // namespace laclip

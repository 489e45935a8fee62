#include "kernels/ops/adamw.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void adamw(Stream&, InOut w, InOut m, InOut v, Out value, In gradient, In square_norm,
           AdamwOptions o) {
  const int64_t count = w.elements();
  check_clipping(o, square_norm);
  float clip = 1;
  if (o.max_norm > 0)
    clip = std::min(1.0f, o.max_norm / (std::sqrt(*square_norm.as<float>()) + 1e-6f));
  // The bias corrections in double: 1 - 0.98^1 has lost half its digits in fp32.
  const float correct_m = float(1.0 / (1.0 - std::pow(double(o.beta1), double(o.step))));
  const float correct_v = float(1.0 / (1.0 - std::pow(double(o.beta2), double(o.step))));
  float *weight = w.as<float>(), *first = m.as<float>(), *second = v.as<float>();
  bf16* rounded = value ? value.as<bf16>() : nullptr;
  const float* grad = gradient.as<float>();

  auto update = [&](int64_t begin, int64_t end, float decay) {
    parallel_elements(end - begin, [=](int64_t at) {
      const int64_t i = begin + at;
      const float g = grad[i] * clip;
      first[i] = o.beta1 * first[i] + (1 - o.beta1) * g;
      second[i] = o.beta2 * second[i] + (1 - o.beta2) * g * g;
      const float step = first[i] * correct_m / (std::sqrt(second[i] * correct_v) + o.eps);
      weight[i] -= o.lr * (decay * weight[i] + step);
    });
    if (!rounded) return;
    parallel_elements(end - begin,
                      [=](int64_t at) { store(rounded[begin + at], weight[begin + at]); });
  };
  const int64_t decayed = std::clamp<int64_t>(o.decayed, 0, count);
  update(0, decayed, o.decay);
  update(decayed, count, 0);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

#include "kernels/ops/adamw.h"

#include <algorithm>
#include <cmath>

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

// The attributes of one step as the kernel needs them.
struct Step {
  float lr, beta1, beta2, eps, decay, max_norm;
  float correct_m, correct_v;  // 1 / (1 - beta^t)
  int64_t decayed;
};

__device__ inline float clip_factor(float max_norm, const float* square_norm) {
  if (!(max_norm > 0)) return 1;
  return fminf(1.0f, max_norm / (sqrtf(*square_norm) + 1e-6f));
}

__device__ inline void update(float& w, float& m, float& v, float gradient, float decay,
                              const Step& o) {
  m = o.beta1 * m + (1 - o.beta1) * gradient;
  v = o.beta2 * v + (1 - o.beta2) * gradient * gradient;
  const float step = m * o.correct_m / (sqrtf(v * o.correct_v) + o.eps);
  w -= o.lr * (decay * w + step);
}

// Four values of 2 bytes: a warp's store is 256 whole bytes.
struct alignas(8) Rounded {
  bf16 values[kPackSize<float>];
};

// Reads w, m, v and the gradient (16 bytes an element), writes w, m, v and value (14).
__global__ void adamw_kernel(float* w, float* m, float* v, bf16* value, const float* gradient,
                             const float* square_norm, int64_t packs, int64_t count, Step o) {
  constexpr int kWide = kPackSize<float>;
  const float clip = clip_factor(o.max_norm, square_norm);
  for (int64_t i = grid_index(); i < packs; i += grid_stride()) {
    const int64_t at = i * kWide;
    Pack<float> weight = load16(w + at), first = load16(m + at), second = load16(v + at);
    const Pack<float> grad = load16(gradient + at);
    Rounded rounded;
#pragma unroll
    for (int k = 0; k < kWide; ++k) {
      update(weight[k], first[k], second[k], grad[k] * clip, at + k < o.decayed ? o.decay : 0, o);
      store(rounded.values[k], weight[k]);
    }
    store16(w + at, weight);
    store16(m + at, first);
    store16(v + at, second);
    if (value) *reinterpret_cast<Rounded*>(value + at) = rounded;
  }
  for (int64_t i = packs * kWide + grid_index(); i < count; i += grid_stride()) {
    update(w[i], m[i], v[i], gradient[i] * clip, i < o.decayed ? o.decay : 0, o);
    if (value) store(value[i], w[i]);
  }
}

}  // namespace

void adamw(Stream& stream, InOut w, InOut m, InOut v, Out value, In gradient, In square_norm,
           AdamwOptions o) {
  const int64_t count = w.elements();
  check_clipping(o, square_norm);
  // The bias corrections in double: 1 - 0.98^1 has lost half its digits in fp32.
  const auto correction = [&](float beta) {
    return float(1.0 / (1.0 - std::pow(double(beta), double(o.step))));
  };
  const Step step{o.lr,
                  o.beta1,
                  o.beta2,
                  o.eps,
                  o.decay,
                  o.max_norm,
                  correction(o.beta1),
                  correction(o.beta2),
                  std::clamp<int64_t>(o.decayed, 0, count)};
  constexpr int kWide = kPackSize<float>;
  bf16* rounded = value ? value.as<bf16>() : nullptr;
  const bool aligned = packs<float>(kWide, w.as<float>(), m.as<float>(), v.as<float>(), rounded,
                                    gradient.as<float>());
  launch<adamw_kernel>(stream, grid_of(aligned ? ceil_div(count, kWide) : count), w.as<float>(),
                       m.as<float>(), v.as<float>(), rounded, gradient.as<float>(),
                       square_norm ? square_norm.as<float>() : nullptr, aligned ? count / kWide : 0,
                       count, step);
}

}  // namespace laclip::cuda

// Normal numbers, drawn on the device: weights of several billion elements in a fraction of a second.
//
//   y[4 i .. 4 i + 3] = deviation z,  z from block i of Philox4x32 with `seed`
//
// An element depends on its index and the seed alone. Both devices give the same bits: what is not
// exact is built from fused multiply-adds here, not from the libraries' logarithm and cosine. It is not
// the stream of Random::normal (base/philox.h), which initializes parameters.
#pragma once

#include <bit>
#include <cmath>

#include "base/philox.h"
#include "kernels/core/op.h"

namespace laclip {

using FillNormal = void(Stream&, Out y, float deviation, uint64_t seed);
namespace cpu {
LACLIP_CPU_OP(FillNormal, fill_normal)
}  // namespace cpu
namespace cuda {
FillNormal fill_normal;
}  // namespace cuda

inline constexpr Op<FillNormal> fill_normal{"fill_normal: y[N]:*", cpu::fill_normal,
                                            cuda::fill_normal};

// Two independent normal numbers by Box-Muller, from two times 32 bits. The polynomials are those of
// the Cephes library (logf, sinf, cosf) by S. L. Moshier, with errors below 2⁻²³.
struct NormalPair {
  float first, second;
};
constexpr NormalPair normal_pair(uint32_t radius_bits, uint32_t angle_bits) {
  // u = ((radius_bits >> 8) + 1) 2⁻²⁴ in (0, 1] is m 2^e with m in [√½, √2).
  const float u = float((radius_bits >> 8) + 1);
  const uint32_t bits = std::bit_cast<uint32_t>(u), root_of_half = 0x3f3504f3u;
  const uint32_t steps = (bits - root_of_half) >> 23;
  const float e = float(int32_t(steps) - 24);
  const float x = std::bit_cast<float>(bits - (steps << 23)) - 1.0f, z = x * x;
  float p = 7.0376836292e-2f;
  for (const float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                        -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f})
    p = std::fma(p, x, c);
  const float tail = std::fma(-0.5f, z, std::fma(e, -2.12194440e-4f, p * x * z));
  const float log_u = std::fma(e, 0.693359375f, x + tail);
  const float radius = std::sqrt(-2.0f * log_u);
  // The angle is a quarter turn times `quarters`, plus a in [-π/4, π/4].
  const auto turn = int32_t(angle_bits >> 8);  // of 2²⁴
  const int32_t quarters = (turn + (1 << 21)) >> 22;
  const float a = float(turn - (quarters << 22)) * 3.7450703e-7f, a2 = a * a;  // 2π / 2²⁴
  const float s = std::fma(-1.9515295891e-4f, a2, 8.3321608736e-3f);
  const float sine = std::fma(std::fma(s, a2, -1.6666654611e-1f) * a2, a, a);
  const float c = std::fma(2.443315711809948e-5f, a2, -1.388731625493765e-3f);
  const float cosine =
      std::fma(std::fma(c, a2, 4.166664568298827e-2f) * a2, a2, std::fma(-0.5f, a2, 1.0f));
  const bool odd = (quarters & 1) != 0, left = ((quarters + 1) & 2) != 0,
             below = (quarters & 2) != 0;
  const float along = odd ? sine : cosine, across = odd ? cosine : sine;
  return {radius * (left ? -along : along), radius * (below ? -across : across)};
}

struct NormalFour {
  float values[4];
};
constexpr NormalFour normal_four(uint64_t seed, int64_t block) {
  const auto bits = philox4x32({uint32_t(block), uint32_t(uint64_t(block) >> 32), 0, 0},
                               {uint32_t(seed), uint32_t(seed >> 32)});
  const NormalPair low = normal_pair(bits[0], bits[1]), high = normal_pair(bits[2], bits[3]);
  return {{low.first, low.second, high.first, high.second}};
}

}  // namespace laclip

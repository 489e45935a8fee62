#include "kernels/ops/rope.h"

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

// Turns the query and key heads by direction times the angle of their position.
void rotate(const char* op, InOut qkv, In table, In positions, RopeOptions o, float direction) {
  const int64_t N = qkv[0], Q = qkv[1], T = table[0], D = table[1], half = D / 2;
  const int64_t rotated = o.heads + o.key_heads;
  check_rope_rows(op, qkv, table, o);
  const int32_t* place = positions.as<int32_t>();
  for (int64_t n = 0; n < N; ++n)
    check(place[n] >= 0 && place[n] < T, "{}: position {} of row {} is outside 0..{}", op, place[n],
          n, T - 1);
  dispatch_float(qkv.dtype, [&]<class X>(TypeTag<X>) {
    parallel_rows(N, Q, [&](int64_t n) {
      const float *cosine = table.as<float>() + place[n] * D, *sine = cosine + half;
      for (int64_t h = 0; h < rotated; ++h) {
        X* x = qkv.as<X>() + n * Q + h * D;
#pragma omp simd
        for (int64_t i = 0; i < half; ++i) {
          const float a = float(x[i]), b = float(x[i + half]), s = direction * sine[i];
          store(x[i], a * cosine[i] - b * s);
          store(x[i + half], b * cosine[i] + a * s);
        }
      }
    });
  });
}

}  // namespace

void rope_forward(Stream&, InOut qkv, In table, In positions, RopeOptions o) {
  rotate("rope_forward", qkv, table, positions, o, 1.0f);
}

void rope_backward(Stream&, InOut dqkv, In table, In positions, RopeOptions o) {
  rotate("rope_backward", dqkv, table, positions, o, -1.0f);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

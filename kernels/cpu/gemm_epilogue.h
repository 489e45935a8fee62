// The epilogue: bias, residual and activation, applied to a tile's sums before they are stored (gemm.h).
#pragma once

#include <algorithm>

#include "kernels/cpu/activation_math.h"
#include "kernels/cpu/gemm.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

// The part of c that a tile covers.
struct TilePlace {
  int64_t row, rows, column, columns;
};

// Runs body(width) with the width as a constant where the tile is whole, so that loops of it unroll.
template <int64_t kWhole, class Body>
void with_width(int64_t width, Body&& body) {
  if (width == kWhole)
    body(std::integral_constant<int64_t, kWhole>{});
  else
    body(width);
}

template <class T, class C, int64_t kStride>
void finish_tile(const Gemm& g, const GemmOperands& o, const float* sums, const TilePlace& at) {
  const auto row_of = [&](auto* matrix, int64_t r) {
    return matrix ? matrix + (at.row + r) * g.n + at.column : nullptr;
  };
  const T* bias = static_cast<const T*>(o.bias);
  if (bias) bias += at.column;
  with_width<kStride>(at.columns, [&](auto width) {
    const auto for_rows = [&](auto&& body) {
      for (int64_t r = 0; r < at.rows; ++r) {
        const float* s = sums + r * kStride;
        alignas(64) float added[kStride];
        const C* residual = row_of(static_cast<const C*>(o.residual), r);
        if (bias || residual) {
          for (int64_t j = 0; j < width; ++j) added[j] = s[j];
          if (bias)
            for (int64_t j = 0; j < width; ++j) added[j] += float(bias[j]);
          if (residual)
            for (int64_t j = 0; j < width; ++j) added[j] += float(residual[j]);
          s = added;
        }
        body(r, s);
      }
    };
    if (o.slope_of) {
      with_activation(o.kind, [&]<class F>(F) {
        for_rows([&](int64_t r, const float* s) {
          const C* u = row_of(static_cast<const C*>(o.slope_of), r);
          C* c = row_of(static_cast<C*>(o.c), r);
#pragma omp simd
          for (int64_t j = 0; j < width; ++j) store(c[j], s[j] * F::slope(float(u[j])));
        });
      });
    } else if (o.activated) {
      with_activation(o.kind, [&]<class F>(F) {
        for_rows([&](int64_t r, const float* s) {
          C stored[kStride];
          C* c = o.c ? row_of(static_cast<C*>(o.c), r) : stored;
          C* h = row_of(static_cast<C*>(o.activated), r);
#pragma omp simd
          for (int64_t j = 0; j < width; ++j) store(c[j], s[j]);
#pragma omp simd
          for (int64_t j = 0; j < width; ++j) store(h[j], F::value(float(c[j])));
        });
      });
    } else {
      for_rows([&](int64_t r, const float* s) {
        C* c = row_of(static_cast<C*>(o.c), r);
#pragma omp simd
        for (int64_t j = 0; j < width; ++j) store(c[j], s[j]);
      });
    }
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

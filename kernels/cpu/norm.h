// One row of a layer normalisation, forward and backward (layernorm, qk_norm), and sums over rows
// whose order does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/parallel.h"
#include "kernels/core/stream.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

template <class T>
void normalize_row(T* y, float& mean, float& rstd, const T* x, const T* gamma, const T* beta,
                   int64_t C, float eps) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < C; ++c) sum += float(x[c]);
  const float m = sum / float(C);
  float drift = 0, squares = 0;
#pragma omp simd reduction(+ : drift, squares)
  for (int64_t c = 0; c < C; ++c) {
    const float d = float(x[c]) - m;
    drift += d;
    squares += d * d;
  }
  // Rounding error of the mean; matters when |mean| is much larger than the deviation.
  const float rest = drift / float(C);
  const float r = 1.0f / std::sqrt(squares / float(C) - rest * rest + eps);
#pragma omp simd
  for (int64_t c = 0; c < C; ++c)
    store(y[c], float(gamma[c]) * (float(x[c]) - m - rest) * r + float(beta[c]));
  mean = m + rest;
  rstd = r;
}

// dx = rstd (g - mean(g) - x̂ mean(g x̂)) + dskip, g = gamma dy; adds to dgamma and dbeta.
template <class T>
void normalize_row_backward(T* dx, float* dgamma, float* dbeta, const T* dy, const T* x, float mean,
                            float rstd, const T* gamma, const T* dskip, int64_t C) {
  float sum_g = 0, sum_gx = 0;
#pragma omp simd reduction(+ : sum_g, sum_gx)
  for (int64_t c = 0; c < C; ++c) {
    const float d = float(dy[c]), normalized = (float(x[c]) - mean) * rstd;
    const float g = float(gamma[c]) * d;
    dgamma[c] += d * normalized;
    dbeta[c] += d;
    sum_g += g;
    sum_gx += g * normalized;
  }
  const float mean_g = sum_g / float(C), mean_gx = sum_gx / float(C);
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) {
    const float normalized = (float(x[c]) - mean) * rstd;
    const float g = float(gamma[c]) * float(dy[c]);
    store(dx[c], rstd * (g - mean_g - normalized * mean_gx) + (dskip ? float(dskip[c]) : 0.0f));
  }
}

// Runs body(begin, end, sums) over fixed blocks of `rows`, each with its own zeroed sums[width], then
// add(total). The blocks are few and depend on `rows` only; the total is taken in their order.
template <class Body, class Add>
void sum_over_blocks(Stream& stream, int64_t rows, int64_t width, Body&& body, Add&& add) {
  constexpr int64_t kMostBlocks = 32, kLeastRows = 16;
  const int64_t blocks = std::clamp<int64_t>(rows / kLeastRows, 1, kMostBlocks);
  float* sums = stream.scratch().reserve<float>(blocks * width);
  std::fill(sums, sums + blocks * width, 0.0f);
  parallel_for(blocks, [&](int64_t b) {
    body(rows * b / blocks, rows * (b + 1) / blocks, sums + b * width);
  });
  for (int64_t b = 1; b < blocks; ++b)
    for (int64_t i = 0; i < width; ++i) sums[i] += sums[b * width + i];
  add(sums);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

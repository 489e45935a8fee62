// One row of a layer normalisation by its team, forward and backward (layernorm, qk_norm).
// A team without a row passes the width 0 and goes along to the sums.
#pragma once

#include "kernels/cuda/device/column_sums.cuh"

namespace laclip::cuda {

// mean and rstd are this row's; C is its width, `width` is C or 0.
template <class Team, class Room, class T>
__device__ void normalize_row(Room& room, T* y, float* mean, float* rstd, const Row<Team>& row,
                              const T* gamma, const T* beta, int64_t width, float C, float eps) {
  float sum[] = {0};
  Team::each(width, [&](int k, int64_t column) {
    const auto in = row.unit(k, column);
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) sum[0] += float(in[i]);
  });
  Team::sum(room, sum);
  const float m = sum[0] / C;

  float drift_squares[] = {0, 0};
  Team::each(width, [&](int k, int64_t column) {
    const auto in = row.unit(k, column);
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) {
      const float d = float(in[i]) - m;
      drift_squares[0] += d;
      drift_squares[1] += d * d;
    }
  });
  Team::sum(room, drift_squares);
  // What rounding has left in the mean; counts if that is large.
  const float rest = drift_squares[0] / C;
  const float r = rsqrtf(drift_squares[1] / C - rest * rest + eps);

  Team::each(width, [&](int k, int64_t column) {
    const auto in = row.unit(k, column), scale = Team::load(gamma + column),
               shift = Team::load(beta + column);
    typename Team::Unit out;
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i)
      store(out[i], float(scale[i]) * (float(in[i]) - m - rest) * r + float(shift[i]));
    Team::store(y + column, out);
  });
  if (width > 0 && Team::lane() == 0) {
    *mean = m + rest;
    *rstd = r;
  }
}

// Adds to the column sums kFirst (dgamma) and kFirst + 1 (dbeta). skip(k, column) is the unit of
// dskip. gamma is read twice, from L1: its registers are worth more as a second block.
template <class Team, int kFirst, int kSums, class Room, class T, class Skip>
__device__ void normalize_row_backward(Room& room, T* dx, ColumnSums<Team, kSums>& parameters,
                                       const Row<Team>& grad, const Row<Team>& row, float mean,
                                       float rstd, const T* gamma, Skip&& skip, int64_t width,
                                       float C) {
  float sums[] = {0, 0};  // g, g x̂
  Team::each(width, [&](int k, int64_t column) {
    const auto d = grad.unit(k, column), in = row.unit(k, column), s = Team::load(gamma + column);
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) {
      const float normalized = (float(in[i]) - mean) * rstd, g = float(s[i]) * float(d[i]);
      parameters.add(kFirst, k, column, i, float(d[i]) * normalized);
      parameters.add(kFirst + 1, k, column, i, float(d[i]));
      sums[0] += g;
      sums[1] += g * normalized;
    }
  });
  Team::sum(room, sums);
  const float mean_g = sums[0] / C, mean_gx = sums[1] / C;

  Team::each(width, [&](int k, int64_t column) {
    const auto d = grad.unit(k, column), in = row.unit(k, column), s = Team::load(gamma + column),
               rest = skip(k, column);
    typename Team::Unit out;
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) {
      const float normalized = (float(in[i]) - mean) * rstd, g = float(s[i]) * float(d[i]);
      store(out[i], rstd * (g - mean_g - normalized * mean_gx) + float(rest[i]));
    }
    Team::store(dx + column, out);
  });
}

}  // namespace laclip::cuda

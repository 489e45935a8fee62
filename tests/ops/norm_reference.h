// The reference of one normalised row, for layernorm and qk_norm.
#pragma once

#include <cmath>
#include <string>

#include "tests/harness/operands.h"

namespace laclip::test {

inline constexpr float kEps = 1e-5f;

// One row of width C from x + at to y + at; returns through mean and rstd.
template <class V, class S>
void normalize(V& t, const std::string& gamma, const std::string& beta, int64_t at, int64_t C,
               S& mean, S& rstd) {
  S sum = 0, squares = 0;
  for (int64_t c = 0; c < C; ++c) sum += t["x"][size_t(at + c)];
  mean = sum / double(C);
  for (int64_t c = 0; c < C; ++c) {
    const S d = t["x"][size_t(at + c)] - mean;
    squares += d * d;
  }
  using std::sqrt;
  rstd = 1.0 / sqrt(squares / double(C) + double(kEps));
  for (int64_t c = 0; c < C; ++c)
    t["y"][size_t(at + c)] =
        t[gamma][size_t(c)] * (t["x"][size_t(at + c)] - mean) * rstd + t[beta][size_t(c)];
}

}  // namespace laclip::test

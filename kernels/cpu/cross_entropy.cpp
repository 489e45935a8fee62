#include "kernels/ops/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/log_sum.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

constexpr int64_t kLogitRows = 256,
                  kLogitColumns = 1024;  // a tile of s: 1 MiB, the size of an L2 cache

struct LogitTile {
  int64_t rows, column, columns;
  float* s;  // [rows columns]
};

template <class T>
const T* row_of(In matrix, int64_t row) {
  return matrix.as<T>() + row * matrix[1];
}

// Calls body(tile) for the tiles of the block of rows that begins at `row`.
template <class T, class Body>
void for_each_logit_tile(Stream& stream, float* memory, In x, In w, int64_t row, Body&& body) {
  const int64_t V = w[0], C = x[1], rows = std::min(kLogitRows, x[0] - row);
  for (int64_t column = 0; column < V; column += kLogitColumns) {
    const LogitTile tile{rows, column, std::min(kLogitColumns, V - column), memory};
    gemm(stream, {.m = rows, .n = tile.columns, .k = C, .b = Layout::transposed, .type = x.dtype},
         {.c = tile.s, .a = row_of<T>(x, row), .b = row_of<T>(w, column)});
    body(tile);
  }
}

void check_targets(const char* op, In target, int64_t V) {
  const int32_t* wanted = target.as<int32_t>();
  for (int64_t n = 0; n < target[0]; ++n)
    check(wanted[n] < V, "{}: target {} of row {} is outside the vocabulary of {}", op, wanted[n],
          n, V);
}

}  // namespace

void cross_entropy_forward(Stream& stream, Out loss, Out lse, In x, In w, In target, float weight) {
  check_targets("cross_entropy_forward", target, w[0]);
  const int32_t* wanted = target.as<int32_t>();
  float* memory =
      stream.scratch().reserve<float>(kLogitRows * kLogitColumns + kLogitRows + 2 * kLogitRows);
  float* hits = memory + kLogitRows * kLogitColumns;  // s[n,target[n]]
  auto* sums = reinterpret_cast<LogSum*>(hits + kLogitRows);
  double total = 0;
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    for (int64_t row = 0; row < x[0]; row += kLogitRows) {
      const int64_t rows = std::min(kLogitRows, x[0] - row);
      std::fill(sums, sums + rows, LogSum{});
      for_each_logit_tile<T>(stream, memory, x, w, row, [&](const LogitTile& t) {
        parallel_rows(rows, t.columns, [&](int64_t a) {
          const float* s = t.s + a * t.columns;
          sums[a].add(s, t.columns, 1);
          const int64_t hit = wanted[row + a] - t.column;
          if (hit >= 0 && hit < t.columns) hits[a] = s[hit];
        });
      });
      for (int64_t a = 0; a < rows; ++a) {
        const float all = sums[a].value();
        lse.as<float>()[row + a] = all;
        if (wanted[row + a] >= 0) total += double(all) - double(hits[a]);
      }
    }
  });
  *loss.as<float>() = float(double(weight) * total);
}

void cross_entropy_backward(Stream& stream, Out dx, Acc dw, In x, In w, In target, In lse,
                            float weight) {
  check_targets("cross_entropy_backward", target, w[0]);
  const int64_t C = x[1];
  const int32_t* wanted = target.as<int32_t>();
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    float* memory =
        stream.scratch().reserve<float>(2 * kLogitRows * kLogitColumns + kLogitRows * C);
    T* ds = reinterpret_cast<T*>(memory + kLogitRows * kLogitColumns);  // [rows columns]
    float* dx_rows = memory + 2 * kLogitRows * kLogitColumns;  // [rows C], summed over the tiles
    for (int64_t row = 0; row < x[0]; row += kLogitRows) {
      const int64_t rows = std::min(kLogitRows, x[0] - row);
      std::fill(dx_rows, dx_rows + rows * C, 0.0f);
      for_each_logit_tile<T>(stream, memory, x, w, row, [&](const LogitTile& t) {
        parallel_rows(rows, t.columns, [&](int64_t a) {
          const float* s = t.s + a * t.columns;
          T* out = ds + a * t.columns;
          const float all = lse.as<float>()[row + a];
          const float share = wanted[row + a] >= 0 ? weight : 0.0f;
#pragma omp simd
          for (int64_t v = 0; v < t.columns; ++v) store(out[v], share * fast_exp(s[v] - all));
          const int64_t hit = wanted[row + a] - t.column;
          if (wanted[row + a] >= 0 && hit >= 0 && hit < t.columns)
            store(out[hit], share * (fast_exp(s[hit] - all) - 1.0f));
        });
        gemm(stream, {.m = rows, .n = C, .k = t.columns, .type = x.dtype},
             {.c = dx_rows, .a = ds, .b = row_of<T>(w, t.column), .residual = dx_rows});
        float* dw_rows = dw.as<float>() + t.column * C;
        gemm(stream, {.m = t.columns, .n = C, .k = rows, .a = Layout::transposed, .type = x.dtype},
             {.c = dw_rows, .a = ds, .b = row_of<T>(x, row), .residual = dw_rows});
      });
      T* out = dx.as<T>() + row * C;
      parallel_elements(rows * C, [=](int64_t i) { store(out[i], dx_rows[i]); });
    }
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

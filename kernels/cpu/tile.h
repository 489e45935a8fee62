// A small fp32 matrix product for tiles that lie in the cache (attention).
//
//   c[m,n] (+)= Σ_k a(m,k) b[k,n]        a(m,k) = a[m·a_row + k·a_column]
//
// N is a multiple of kLanes (the caller pads); M and K are any. Each c[m,n] is one chain of FMAs
// in the order of k, whatever M is: a row's bits do not depend on its neighbours.
#pragma once

#include <cstdint>

#include "kernels/cpu/vector.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

inline int64_t padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

struct Strided {
  const float* data;
  int64_t row, column;
};

// One register tile of M rows and V vectors.
template <int M, int V>
inline void product_tile(float* c, int64_t c_row, Strided a, const float* b, int64_t b_row,
                         int64_t K, bool accumulate) {
  Floats sum[M][V];
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v)
      sum[m][v] = accumulate ? load_floats(c + m * c_row + v * kLanes) : Floats{};
  for (int64_t k = 0; k < K; ++k) {
    Floats right[V];
    for (int v = 0; v < V; ++v) right[v] = load_floats(b + k * b_row + v * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const float left = a.data[m * a.row + k * a.column];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[m][v] += left * right[v];
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) store_floats(c + m * c_row + v * kLanes, sum[m][v]);
}

template <int V>
inline void product_columns(float* c, int64_t c_row, Strided a, const float* b, int64_t b_row,
                            int64_t M, int64_t K, bool accumulate) {
  // Rows whose sums fit the registers. Eight sums hide the latency of their FMAs, so the last rows are four, not two.
  constexpr int kMost = kVectorBytes == 64 ? 12 : V == 1 ? 8 : 6;
  int64_t m = 0;
  const auto rows = [&]<int R>() {
    product_tile<R, V>(c + m * c_row, c_row, {a.data + m * a.row, a.row, a.column}, b, b_row, K,
                       accumulate);
    m += R;
  };
  while (M - m == kMost || M - m >= kMost + 3) rows.template operator()<kMost>();
  while (M - m >= 4) rows.template operator()<4>();
  if (M - m == 3) return rows.template operator()<3>();
  if (M - m == 2) return rows.template operator()<2>();
  if (M - m == 1) return rows.template operator()<1>();
}

inline void product(float* c, int64_t c_row, Strided a, const float* b, int64_t b_row, int64_t M,
                    int64_t N, int64_t K, bool accumulate = false) {
  int64_t n = 0;
  for (; n + 2 * kLanes <= N; n += 2 * kLanes)
    product_columns<2>(c + n, c_row, a, b + n, b_row, M, K, accumulate);
  if (n < N) product_columns<1>(c + n, c_row, a, b + n, b_row, M, K, accumulate);
}

// Copies rows of a head (row stride in elements) to fp32: as they are, [T width], columns behind D
// zero; or transposed, [D padded(T)], columns behind T zero.
template <class T>
void copy_head(float* out, int64_t width, const T* in, int64_t stride, int64_t rows, int64_t D) {
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t d = 0; d < D; ++d) out[t * width + d] = float(in[t * stride + d]);
    for (int64_t d = D; d < width; ++d) out[t * width + d] = 0;
  }
}
template <class T>
void copy_head_transposed(float* out, const T* in, int64_t stride, int64_t rows, int64_t D) {
  const int64_t width = padded(rows);
  for (int64_t d = 0; d < D; ++d)
    for (int64_t t = rows; t < width; ++t) out[d * width + t] = 0;
  for (int64_t begin = 0; begin < rows; begin += kLanes) {  // blocks that stay in L1
    const int64_t end = begin + kLanes < rows ? begin + kLanes : rows;
    for (int64_t d = 0; d < D; ++d)
      for (int64_t t = begin; t < end; ++t) out[d * width + t] = float(in[t * stride + d]);
  }
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

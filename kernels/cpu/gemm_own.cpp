#include "kernels/cpu/gemm_own.h"

#include <algorithm>
#include <vector>

namespace laclip::cpu {
namespace {

// A tile of 6 rows and two vectors of columns keeps its sums in 12 registers over all of K.
#ifdef __AVX512F__
using Vector = float __attribute__((vector_size(64)));
#else
using Vector = float __attribute__((vector_size(32)));
#endif
constexpr int64_t kLanes = sizeof(Vector) / sizeof(float);
constexpr int64_t kRows = 6, kColumns = 2 * kLanes;
// What a thread takes at a time: its operands are packed once for so many tiles.
constexpr int64_t kBlockRows = 16 * kRows, kBlockColumns = 8 * kColumns;

// An operand seen as lines along k: element (line, k) is at line·line_stride + k·k_stride.
struct Lines {
  const void* data;
  int64_t lines, line_stride, k_stride;
};

// Lines first … first + count - 1 as panels of `Width` lines: [panel][k][line] in fp32; lines that are
// not there are zero.
template <class T, int64_t Width>
void pack(float* to, const Lines& from, int64_t first, int64_t count, int64_t depth) {
  const T* data = static_cast<const T*>(from.data);
  for (int64_t panel = 0; panel < count; panel += Width, to += depth * Width)
    for (int64_t i = 0; i < Width; ++i) {
      const int64_t line = first + panel + i;
      const bool there = panel + i < count && line < from.lines;
      const T* source = data + (there ? line * from.line_stride : 0);
      for (int64_t k = 0; k < depth; ++k)
        to[k * Width + i] = there ? float(source[k * from.k_stride]) : 0.0f;
    }
}

// The sums of a tile, terms in the order of k.
void multiply(float (&sums)[kRows][kColumns], const float* a, const float* b, int64_t depth) {
  Vector s[kRows][2] = {};
  for (int64_t k = 0; k < depth; ++k, a += kRows, b += kColumns) {
    Vector right[2];
    __builtin_memcpy(right, b, sizeof right);
#pragma GCC unroll 6
    for (int64_t r = 0; r < kRows; ++r) {
      s[r][0] += a[r] * right[0];
      s[r][1] += a[r] * right[1];
    }
  }
  __builtin_memcpy(sums, s, sizeof s);
}

template <class C, class T>
void put(const Gemm& g, C* c, const T* bias, const float (&sums)[kRows][kColumns], int64_t row,
         int64_t column) {
  const int64_t rows = std::min(kRows, g.m - row), columns = std::min(kColumns, g.n - column);
  for (int64_t r = 0; r < rows; ++r) {
    C* line = c + (row + r) * g.n + column;
    for (int64_t j = 0; j < columns; ++j) {
      float value = sums[r][j];
      if (bias) value += float(bias[column + j]);
      if (g.accumulate) value += float(line[j]);
      line[j] = C(value);
    }
  }
}

template <class C, class T>
void run(const Gemm& g, C* c, const void* a, const void* b, const T* bias) {
  const bool plain_a = g.a == Layout::plain, plain_b = g.b == Layout::plain;
  const Lines rows{a, g.m, plain_a ? g.k : 1, plain_a ? 1 : g.m};
  const Lines columns{b, g.n, plain_b ? 1 : g.k, plain_b ? g.n : 1};
#pragma omp parallel
  {
    std::vector<float> left(size_t(kBlockRows * g.k)), right(size_t(kBlockColumns * g.k));
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t row = 0; row < g.m; row += kBlockRows)
      for (int64_t column = 0; column < g.n; column += kBlockColumns) {
        const int64_t height = std::min(kBlockRows, g.m - row);
        const int64_t width = std::min(kBlockColumns, g.n - column);
        pack<T, kRows>(left.data(), rows, row, height, g.k);
        pack<T, kColumns>(right.data(), columns, column, width, g.k);
        for (int64_t j = 0; j < width; j += kColumns)
          for (int64_t i = 0; i < height; i += kRows) {
            float sums[kRows][kColumns];
            multiply(sums, left.data() + i * g.k, right.data() + j * g.k, g.k);
            put(g, c, bias, sums, row + i, column + j);
          }
      }
  }
}

}  // namespace

void gemm_own(const Gemm& g, void* c, const void* a, const void* b, const void* bias) {
  dispatch_float(g.type, [&]<class T>(TypeTag<T>) {
    dispatch_float(g.c_type, [&]<class C>(TypeTag<C>) {
      run(g, static_cast<C*>(c), a, b, static_cast<const T*>(bias));
    });
  });
}

}  // namespace laclip::cpu

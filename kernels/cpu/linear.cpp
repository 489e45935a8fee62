#include "kernels/ops/linear.h"

#include <cstring>

#include "kernels/cpu/gemm.h"

namespace laclip::cpu {
namespace {

constexpr auto plain = Layout::plain, transposed = Layout::transposed;

// db[o] += Σ_n dy[n,o]: a block of columns each thread, rows in order.
void add_column_sums(Acc db, In dy) {
  const int64_t rows = dy[0], columns = dy[1];
  constexpr int64_t kBlock = 64;
  dispatch_float(dy.dtype, [&]<class T>(TypeTag<T>) {
    const T* in = dy.as<T>();
    float* out = db.as<float>();
#pragma omp parallel for schedule(static)
    for (int64_t begin = 0; begin < columns; begin += kBlock) {
      const int64_t width = std::min(kBlock, columns - begin);
      float sum[kBlock] = {};
      for (int64_t n = 0; n < rows; ++n)
        for (int64_t o = 0; o < width; ++o) sum[o] += float(in[n * columns + begin + o]);
      for (int64_t o = 0; o < width; ++o) out[begin + o] += sum[o];
    }
  });
}

}  // namespace

void linear_forward(Stream& stream, Out y, In x, In w, In b, In skip) {
  check_skip(y, x, skip);
  if (skip && skip.tensor().data != y.data)
    std::memcpy(y.data, skip.tensor().data, size_t(y.bytes()));
  const Gemm shape{x[0], w[0], x[1], plain, transposed, x.dtype, y.dtype, bool(b), bool(skip)};
  gemm(stream, shape, y.data, x.tensor().data, w.tensor().data, b.tensor().data);
}
void linear_backward_input(Stream& stream, Out dx, In dy, In w) {
  const Gemm shape{dy[0], w[1], w[0], plain, plain, dy.dtype, dx.dtype};
  gemm(stream, shape, dx.data, dy.tensor().data, w.tensor().data);
}
void linear_backward_weight(Stream& stream, Acc dw, Acc db, In dy, In x) {
  const Gemm shape{dy[1], x[1], x[0], transposed, plain, x.dtype, DType::f32, false, true};
  gemm(stream, shape, dw.data, dy.tensor().data, x.tensor().data);
  if (db) add_column_sums(db, dy);
}

void linear_activation_forward(Stream& stream, Out h, Out u, In x, In w, In b, Activation kind) {
  const Tensor& sum = u ? u : h;
  linear_forward(stream, sum, x, w, b, none);
  activation_forward(stream, h, sum, kind);
}
void linear_activation_backward(Stream& stream, Out du, In dy, In w, In u, Activation kind) {
  linear_backward_input(stream, du, dy, w);
  activation_backward(stream, du, du, u, kind);
}

void project_forward(Stream& stream, Out y, In x, In w) {
  const Gemm shape{x[0], w[1], x[1], plain, plain, x.dtype, y.dtype};
  gemm(stream, shape, y.data, x.tensor().data, w.tensor().data);
}
void project_backward_input(Stream& stream, Out dx, In dy, In w) {
  const Gemm shape{dy[0], w[0], w[1], plain, transposed, dy.dtype, dx.dtype};
  gemm(stream, shape, dx.data, dy.tensor().data, w.tensor().data);
}
void project_backward_weight(Stream& stream, Acc dw, In dy, In x) {
  const Gemm shape{x[1], dy[1], x[0], transposed, plain, x.dtype, DType::f32, false, true};
  gemm(stream, shape, dw.data, x.tensor().data, dy.tensor().data);
}

}  // namespace laclip::cpu

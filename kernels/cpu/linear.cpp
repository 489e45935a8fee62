#include "kernels/ops/linear.h"

#include "base/parallel.h"
#include "kernels/cpu/gemm.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

constexpr auto plain = Layout::plain, transposed = Layout::transposed;

// db[o] += Σ_n dy[n,o]: a block of columns each thread, rows in order.
void add_column_sums(Acc db, In dy) {
  const int64_t rows = dy[0], columns = dy[1];
  constexpr int64_t kBlock = 64;
  dispatch_float(dy.dtype, [&]<class T>(TypeTag<T>) {
    const T* in = dy.as<T>();
    float* out = db.as<float>();
    parallel_ranges(columns, kBlock, [&](int64_t begin, int64_t end) {
      const int64_t width = end - begin;
      float sum[kBlock] = {};
      for (int64_t n = 0; n < rows; ++n)
        for (int64_t o = 0; o < width; ++o) sum[o] += float(in[n * columns + begin + o]);
      for (int64_t o = 0; o < width; ++o) out[begin + o] += sum[o];
    });
  });
}

}  // namespace

void linear_forward(Stream& stream, Out y, In x, In w, In b, In skip) {
  check_skip(y, x, skip);
  gemm(stream, {x[0], w[0], x[1], plain, transposed, x.dtype, y.dtype},
       {.c = y.data,
        .a = x.tensor().data,
        .b = w.tensor().data,
        .bias = b.tensor().data,
        .residual = skip.tensor().data});
}
void linear_backward_input(Stream& stream, Out dx, In dy, In w) {
  gemm(stream, {dy[0], w[1], w[0], plain, plain, dy.dtype, dx.dtype},
       {.c = dx.data, .a = dy.tensor().data, .b = w.tensor().data});
}
void linear_backward_weight(Stream& stream, Acc dw, Acc db, In dy, In x) {
  gemm(stream, {dy[1], x[1], x[0], transposed, plain, x.dtype, DType::f32},
       {.c = dw.data, .a = dy.tensor().data, .b = x.tensor().data, .residual = dw.data});
  if (db) add_column_sums(db, dy);
}

void linear_activation_forward(Stream& stream, Out h, Out u, In x, In w, In b, Activation kind) {
  gemm(stream, {x[0], w[0], x[1], plain, transposed, x.dtype, h.dtype},
       {.c = u.data,
        .a = x.tensor().data,
        .b = w.tensor().data,
        .bias = b.tensor().data,
        .activated = h.data,
        .kind = kind});
}
void linear_activation_backward(Stream& stream, Out du, In dy, In w, In u, Activation kind) {
  gemm(stream, {dy[0], w[1], w[0], plain, plain, dy.dtype, du.dtype},
       {.c = du.data,
        .a = dy.tensor().data,
        .b = w.tensor().data,
        .slope_of = u.tensor().data,
        .kind = kind});
}

void project_forward(Stream& stream, Out y, In x, In w) {
  gemm(stream, {x[0], w[1], x[1], plain, plain, x.dtype, y.dtype},
       {.c = y.data, .a = x.tensor().data, .b = w.tensor().data});
}
void project_backward_input(Stream& stream, Out dx, In dy, In w) {
  gemm(stream, {dy[0], w[0], w[1], plain, transposed, dy.dtype, dx.dtype},
       {.c = dx.data, .a = dy.tensor().data, .b = w.tensor().data});
}
void project_backward_weight(Stream& stream, Acc dw, In dy, In x) {
  gemm(stream, {x[1], dy[1], x[0], transposed, plain, x.dtype, DType::f32},
       {.c = dw.data, .a = x.tensor().data, .b = dy.tensor().data, .residual = dw.data});
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

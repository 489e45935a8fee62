#include "kernels/ops/linear.h"

#include "kernels/cuda/gemm.h"

namespace laclip::cuda {
namespace {

constexpr auto plain = Layout::plain, transposed = Layout::transposed;

// The three products of both maps: x wᵀ, x w and += aᵀ b.
Gemm times_transposed(In x, In w, DType to) {
  return {x[0], w[0], x[1], plain, transposed, x.dtype, to};
}
Gemm times(In x, In w, DType to) { return {x[0], w[1], x[1], plain, plain, x.dtype, to}; }
Gemm add_transposed_times(In a, In b) { return adding(transposed, a[1], b[1], a[0], a.dtype); }

}  // namespace

void linear_forward(Stream& stream, Out y, In x, In w, In b, In skip) {
  check_skip(y, x, skip);
  gemm(stream, times_transposed(x, w, y.dtype),
       {.c = y.data,
        .a = x.tensor().data,
        .b = w.tensor().data,
        .bias = b.tensor().data,
        .skip = skip.tensor().data});
}
void linear_backward_input(Stream& stream, Out dx, In dy, In w) {
  gemm(stream, times(dy, w, dx.dtype), {dx.data, dy.tensor().data, w.tensor().data});
}
// db comes along as the row sums of dyᵀ, which is in shared memory then.
void linear_backward_weight(Stream& stream, Acc dw, Acc db, In dy, In x) {
  gemm(stream, add_transposed_times(dy, x),
       {.c = dw.data,
        .a = dy.tensor().data,
        .b = x.tensor().data,
        .row_sums = db ? db.as<float>() : nullptr});
}

void linear_activation_forward(Stream& stream, Out h, Out u, In x, In w, In b, Activation kind) {
  Gemm shape = times_transposed(x, w, h.dtype);
  shape.epilogue = Epilogue::activation;
  shape.kind = kind;
  gemm(stream, shape,
       {.c = h.data,
        .a = x.tensor().data,
        .b = w.tensor().data,
        .bias = b.tensor().data,
        .kept = u.data});
}
void linear_activation_backward(Stream& stream, Out du, In dy, In w, In u, Activation kind) {
  Gemm shape = times(dy, w, du.dtype);
  shape.epilogue = Epilogue::slope;
  shape.kind = kind;
  gemm(stream, shape,
       {.c = du.data, .a = dy.tensor().data, .b = w.tensor().data, .u = u.tensor().data});
}

void project_forward(Stream& stream, Out y, In x, In w) {
  gemm(stream, times(x, w, y.dtype), {y.data, x.tensor().data, w.tensor().data});
}
void project_backward_input(Stream& stream, Out dx, In dy, In w) {
  gemm(stream, times_transposed(dy, w, dx.dtype), {dx.data, dy.tensor().data, w.tensor().data});
}
void project_backward_weight(Stream& stream, Acc dw, In dy, In x) {
  gemm(stream, add_transposed_times(x, dy), {dw.data, x.tensor().data, dy.tensor().data});
}

}  // namespace laclip::cuda

#include "kernels/ops/linear.h"

#include "kernels/cuda/gemm.h"

namespace laclip::cuda {
namespace {

constexpr auto plain = Layout::plain, transposed = Layout::transposed;

}  // namespace

void linear_forward(Stream& stream, Out y, In x, In w, In b, In skip) {
  check(!skip || y.dtype == x.dtype, "linear_forward: with skip, y is {} and not {}",
        name_of(x.dtype), name_of(y.dtype));
  const Gemm shape{x[0], w[0], x[1], plain, transposed, x.dtype, y.dtype};
  gemm(stream, shape,
       {.c = y.data,
        .a = x.tensor().data,
        .b = w.tensor().data,
        .bias = b.tensor().data,
        .skip = skip.tensor().data});
}
void linear_backward_input(Stream& stream, Out dx, In dy, In w) {
  const Gemm shape{dy[0], w[1], w[0], plain, plain, dy.dtype, dx.dtype};
  gemm(stream, shape, {dx.data, dy.tensor().data, w.tensor().data});
}
// db comes along as the row sums of dyᵀ, which is in shared memory then.
void linear_backward_weight(Stream& stream, Acc dw, Acc db, In dy, In x) {
  const Gemm shape{.m = dy[1],
                   .n = x[1],
                   .k = x[0],
                   .a = transposed,
                   .b = plain,
                   .type = x.dtype,
                   .c_type = DType::f32,
                   .accumulate = true};
  gemm(stream, shape,
       {.c = dw.data,
        .a = dy.tensor().data,
        .b = x.tensor().data,
        .row_sums = db ? db.as<float>() : nullptr});
}

void linear_activation_forward(Stream& stream, Out h, Out u, In x, In w, In b, Activation kind) {
  const Gemm shape{.m = x[0],
                   .n = w[0],
                   .k = x[1],
                   .a = plain,
                   .b = transposed,
                   .type = x.dtype,
                   .c_type = h.dtype,
                   .epilogue = Epilogue::activation,
                   .kind = kind};
  gemm(stream, shape,
       {.c = h.data,
        .a = x.tensor().data,
        .b = w.tensor().data,
        .bias = b.tensor().data,
        .kept = u.data});
}
void linear_activation_backward(Stream& stream, Out du, In dy, In w, In u, Activation kind) {
  const Gemm shape{.m = dy[0],
                   .n = w[1],
                   .k = w[0],
                   .a = plain,
                   .b = plain,
                   .type = dy.dtype,
                   .c_type = du.dtype,
                   .epilogue = Epilogue::slope,
                   .kind = kind};
  gemm(stream, shape,
       {.c = du.data, .a = dy.tensor().data, .b = w.tensor().data, .u = u.tensor().data});
}

void project_forward(Stream& stream, Out y, In x, In w) {
  const Gemm shape{x[0], w[1], x[1], plain, plain, x.dtype, y.dtype};
  gemm(stream, shape, {y.data, x.tensor().data, w.tensor().data});
}
void project_backward_input(Stream& stream, Out dx, In dy, In w) {
  const Gemm shape{dy[0], w[0], w[1], plain, transposed, dy.dtype, dx.dtype};
  gemm(stream, shape, {dx.data, dy.tensor().data, w.tensor().data});
}
void project_backward_weight(Stream& stream, Acc dw, In dy, In x) {
  const Gemm shape{.m = x[1],
                   .n = dy[1],
                   .k = x[0],
                   .a = transposed,
                   .b = plain,
                   .type = x.dtype,
                   .c_type = DType::f32,
                   .accumulate = true};
  gemm(stream, shape, {dw.data, x.tensor().data, dy.tensor().data});
}

}  // namespace laclip::cuda

#include "kernels/ops/linear.h"

#include "kernels/cuda/gemm.h"

namespace laclip::cuda {
namespace {

constexpr auto plain = Layout::plain, transposed = Layout::transposed;

}  // namespace

void linear_forward(Stream& stream, Out y, In x, In w, In b) {
  const Gemm shape{x[0], w[0], x[1], plain, transposed, x.dtype, y.dtype};
  gemm(stream, shape, {y.data, x.tensor().data, w.tensor().data, b.tensor().data});
}
void linear_backward_input(Stream& stream, Out dx, In dy, In w) {
  const Gemm shape{dy[0], w[1], w[0], plain, plain, dy.dtype, dx.dtype};
  gemm(stream, shape, {dx.data, dy.tensor().data, w.tensor().data});
}
// db comes along as the row sums of dyᵀ, which is in shared memory then.
void linear_backward_weight(Stream& stream, Acc dw, Acc db, In dy, In x) {
  const Gemm shape{dy[1], x[1], x[0], transposed, plain, x.dtype, DType::f32, true};
  gemm(stream, shape,
       {dw.data, dy.tensor().data, x.tensor().data, nullptr, db ? db.as<float>() : nullptr});
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
  const Gemm shape{x[1], dy[1], x[0], transposed, plain, x.dtype, DType::f32, true};
  gemm(stream, shape, {dw.data, x.tensor().data, dy.tensor().data});
}

}  // namespace laclip::cuda

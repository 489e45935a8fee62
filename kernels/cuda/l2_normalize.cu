#include "kernels/ops/l2_normalize.h"

#include "kernels/cuda/device/norm.cuh"

namespace laclip::cuda {
namespace {

// A team takes a row. Reads x and writes y once for each element, where the team holds its row.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads)
    l2_normalize_forward_kernel(T* y, float* norm, const T* x, int64_t B, int64_t E) {
  auto& room = shared<NormRoom<Team>>();
  const int64_t b = int64_t(blockIdx.x) * Team::kTeams + Team::team();
  const int64_t width = b < B ? E : 0;
  const Row<Team> row(x + b * E, width);

  float squares[] = {0};
  Team::each(width, [&](int k, int64_t column) {
    const auto in = row.unit(k, column);
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) squares[0] += float(in[i]) * float(in[i]);
  });
  Team::sum(room, squares);
  const float length = fmaxf(sqrtf(squares[0]), 1e-12f), inverse = 1.0f / length;

  Team::each(width, [&](int k, int64_t column) {
    const auto in = row.unit(k, column);
    typename Team::Unit out;
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) store(out[i], float(in[i]) * inverse);
    Team::store(y + b * E + column, out);
  });
  if (b < B && Team::lane() == 0) norm[b] = length;
}

// The same with dy and y read and dx written.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads)
    l2_normalize_backward_kernel(T* dx, const T* dy, const T* y, const float* norm, int64_t B,
                                 int64_t E) {
  auto& room = shared<NormRoom<Team>>();
  const int64_t b = int64_t(blockIdx.x) * Team::kTeams + Team::team();
  const int64_t width = b < B ? E : 0;
  const Row<Team> grad(dy + b * E, width), row(y + b * E, width);
  const float inverse = b < B ? 1.0f / norm[b] : 0;

  float dot[] = {0};
  Team::each(width, [&](int k, int64_t column) {
    const auto d = grad.unit(k, column), unit = row.unit(k, column);
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) dot[0] += float(d[i]) * float(unit[i]);
  });
  Team::sum(room, dot);

  Team::each(width, [&](int k, int64_t column) {
    const auto d = grad.unit(k, column), unit = row.unit(k, column);
    typename Team::Unit out;
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i)
      store(out[i], (float(d[i]) - float(unit[i]) * dot[0]) * inverse);
    Team::store(dx + b * E + column, out);
  });
}

}  // namespace

void l2_normalize_forward(Stream& stream, Out y, Out norm, In x) {
  const int64_t B = x[0], E = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    T* to = y.as<T>();
    const T* in = x.as<T>();
    dispatch_team<T>(E, packs<T>(E, to, in), [&]<class Team>(Team) {
      launch<l2_normalize_forward_kernel<T, Team>>(stream, grid_of_rows<Team>(B), to,
                                                   norm.as<float>(), in, B, E);
    });
  });
}

void l2_normalize_backward(Stream& stream, Out dx, In dy, In y, In norm) {
  const int64_t B = y[0], E = y[1];
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    T* to = dx.as<T>();
    const T *grad = dy.as<T>(), *unit = y.as<T>();
    dispatch_team<T>(E, packs<T>(E, to, grad, unit), [&]<class Team>(Team) {
      launch<l2_normalize_backward_kernel<T, Team>>(stream, grid_of_rows<Team>(B), to, grad, unit,
                                                    norm.as<float>(), B, E);
    });
  });
}

}  // namespace laclip::cuda

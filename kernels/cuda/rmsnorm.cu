#include "kernels/ops/rmsnorm.h"

#include "kernels/cuda/device/column_sums.cuh"

namespace laclip::cuda {
namespace {

// A team takes a row. Reads x and writes y once for each element, where the team holds its row.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads)
    rmsnorm_forward_kernel(T* y, float* rstd, const T* x, const T* gamma, int64_t N, int64_t C,
                           float eps) {
  auto& room = shared<NormRoom<Team>>();
  const int64_t n = int64_t(blockIdx.x) * Team::kTeams + Team::team();
  const int64_t width = n < N ? C : 0;
  const Row<Team> row(x + n * C, width);

  float squares[] = {0};
  Team::each(width, [&](int k, int64_t column) {
    const auto in = row.unit(k, column);
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) squares[0] += float(in[i]) * float(in[i]);
  });
  Team::sum(room, squares);
  const float r = rsqrtf(squares[0] / float(C) + eps);

  Team::each(width, [&](int k, int64_t column) {
    const auto in = row.unit(k, column), scale = Team::load(gamma + column);
    typename Team::Unit out;
#pragma unroll
    for (int i = 0; i < Team::kWidth; ++i) store(out[i], float(scale[i]) * float(in[i]) * r);
    Team::store(y + n * C + column, out);
  });
  if (rstd && n < N && Team::lane() == 0) rstd[n] = r;
}

// Teams walk over the rows. Reads dy, x and dskip and writes dx once for each element, where a team
// holds its rows.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads, Team::kBlocks)
    rmsnorm_backward_kernel(T* dx, float* parts, const T* dy, const T* x, const float* rstd,
                            const T* gamma, const T* dskip, int64_t N, int64_t C) {
  auto& room = shared<NormRoom<Team, 1>>();
  ColumnSums<Team, 1> parameters(parts + blockIdx.x * C, C);  // dgamma
  const int64_t stride = int64_t(gridDim.x) * Team::kTeams;
  for (int64_t first = int64_t(blockIdx.x) * Team::kTeams; first < N; first += stride) {
    const int64_t n = first + Team::team(), width = n < N ? C : 0;
    const Row<Team> row(x + n * C, width), grad(dy + n * C, width),
        skip(dskip ? dskip + n * C : nullptr, dskip ? width : 0);
    const float r = n < N ? rstd[n] : 0;

    float sum_gx[] = {0};
    Team::each(width, [&](int k, int64_t column) {
      const auto in = row.unit(k, column), d = grad.unit(k, column), s = Team::load(gamma + column);
#pragma unroll
      for (int i = 0; i < Team::kWidth; ++i) {
        const float normalized = float(in[i]) * r;
        parameters.add(0, k, column, i, float(d[i]) * normalized);
        sum_gx[0] += float(s[i]) * float(d[i]) * normalized;
      }
    });
    Team::sum(room, sum_gx);
    const float mean_gx = sum_gx[0] / float(C);

    Team::each(width, [&](int k, int64_t column) {
      const auto in = row.unit(k, column), d = grad.unit(k, column), s = Team::load(gamma + column);
      typename Team::Unit rest{};
      if (dskip) rest = skip.unit(k, column);
      typename Team::Unit out;
#pragma unroll
      for (int i = 0; i < Team::kWidth; ++i) {
        const float normalized = float(in[i]) * r, g = float(s[i]) * float(d[i]);
        store(out[i], r * (g - normalized * mean_gx) + float(rest[i]));
      }
      Team::store(dx + n * C + column, out);
    });
  }
  parameters.finish(room);
}

}  // namespace

void rmsnorm_forward(Stream& stream, Out y, Out rstd, In x, In gamma, float eps) {
  const int64_t N = x[0], C = x[1];
  float* keep = rstd ? rstd.as<float>() : nullptr;
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    T* to = y.as<T>();
    const T *in = x.as<T>(), *scale = gamma.as<T>();
    dispatch_team<T>(C, packs<T>(C, to, in, scale), [&]<class Team>(Team) {
      launch<rmsnorm_forward_kernel<T, Team>>(stream, grid_of_rows<Team>(N), to, keep, in, scale, N,
                                              C, eps);
    });
  });
}

void rmsnorm_backward(Stream& stream, Out dx, Acc dgamma, In dy, In x, In rstd, In gamma,
                      In dskip) {
  const int64_t N = x[0], C = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    T* to = dx.as<T>();
    const T *grad = dy.as<T>(), *in = x.as<T>(), *scale = gamma.as<T>(),
            *skip = dskip ? dskip.as<T>() : nullptr;
    dispatch_team<T>(C, packs<T>(C, to, grad, in, scale, skip), [&]<class Team>(Team) {
      const Grid grid = grid_of_parts<Team, 1>(N);
      float* parts = stream.scratch().reserve<float>(grid.blocks.x * C);
      launch<rmsnorm_backward_kernel<T, Team>>(stream, grid, to, parts, grad, in, rstd.as<float>(),
                                               scale, skip, N, C);
      add_parts<1>(stream, {dgamma.as<float>()}, parts, grid.blocks.x, C);
    });
  });
}

}  // namespace laclip::cuda

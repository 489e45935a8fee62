#include "kernels/ops/layernorm.h"

#include "kernels/cuda/device/norm_row.cuh"

namespace laclip::cuda {
namespace {

// A team takes a row. Reads x and writes y once for each element, where the team holds its row.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads)
    layernorm_forward_kernel(T* y, float* mean, float* rstd, const T* x, const T* gamma,
                             const T* beta, int64_t N, int64_t C, float eps) {
  auto& room = shared<NormRoom<Team>>();
  const int64_t n = int64_t(blockIdx.x) * Team::kTeams + Team::team(), width = n < N ? C : 0;
  const Row<Team> row(x + n * C, width);
  normalize_row(room, y + n * C, mean + n, rstd + n, row, gamma, beta, width, float(C), eps);
}

// Teams walk over the rows. Reads dy, x and dskip and writes dx once for each element, where a team
// holds its rows.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads, Team::kBlocks)
    layernorm_backward_kernel(T* dx, float* parts, const T* dy, const T* x, const float* mean,
                              const float* rstd, const T* gamma, const T* dskip, int64_t N,
                              int64_t C) {
  auto& room = shared<NormRoom<Team, 2>>();
  ColumnSums<Team, 2> parameters(parts + blockIdx.x * 2 * C, C);
  const int64_t stride = int64_t(gridDim.x) * Team::kTeams;
  for (int64_t first = int64_t(blockIdx.x) * Team::kTeams; first < N; first += stride) {
    const int64_t n = first + Team::team(), width = n < N ? C : 0;
    const Row<Team> grad(dy + n * C, width), row(x + n * C, width),
        skip(dskip ? dskip + n * C : nullptr, dskip ? width : 0);
    const auto skip_unit = [&](int k, int64_t column) {
      return dskip ? skip.unit(k, column) : typename Team::Unit{};
    };
    normalize_row_backward<Team, 0>(room, dx + n * C, parameters, grad, row, n < N ? mean[n] : 0,
                                    n < N ? rstd[n] : 0, gamma, skip_unit, width, float(C));
  }
  parameters.finish(room);
}

}  // namespace

void layernorm_forward(Stream& stream, Out y, Out mean, Out rstd, In x, In gamma, In beta,
                       float eps) {
  const int64_t N = x[0], C = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    T* to = y.as<T>();
    const T *in = x.as<T>(), *scale = gamma.as<T>(), *shift = beta.as<T>();
    dispatch_team<T>(C, packs<T>(C, to, in, scale, shift), [&]<class Team>(Team) {
      launch<layernorm_forward_kernel<T, Team>>(stream, grid_of_rows<Team>(N), to, mean.as<float>(),
                                                rstd.as<float>(), in, scale, shift, N, C, eps);
    });
  });
}

void layernorm_backward(Stream& stream, Out dx, Acc dgamma, Acc dbeta, In dy, In x, In mean,
                        In rstd, In gamma, In dskip) {
  const int64_t N = x[0], C = x[1];
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    T* to = dx.as<T>();
    const T *grad = dy.as<T>(), *in = x.as<T>(), *scale = gamma.as<T>(),
            *skip = dskip ? dskip.as<T>() : nullptr;
    dispatch_team<T>(C, packs<T>(C, to, grad, in, scale, skip), [&]<class Team>(Team) {
      const Grid grid = grid_of_parts<Team, 2>(N);
      float* parts = stream.scratch().reserve<float>(grid.blocks.x * 2 * C);
      launch<layernorm_backward_kernel<T, Team>>(stream, grid, to, parts, grad, in,
                                                 mean.as<float>(), rstd.as<float>(), scale, skip, N,
                                                 C);
      add_parts<2>(stream, {dgamma.as<float>(), dbeta.as<float>()}, parts, grid.blocks.x, C);
    });
  });
}

}  // namespace laclip::cuda

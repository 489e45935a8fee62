#include "kernels/ops/qk_norm.h"

#include <algorithm>

#include "kernels/cuda/device/norm_row.cuh"

namespace laclip::cuda {
namespace {

constexpr unsigned kMostForwardBlocks = 8 * 132;  // what 132 multiprocessors hold at once

// Teams walk over triples of heads: (n, h) has the query head h of row n and the key and value heads
// H and 2H behind it.
template <class Team>
class HeadWalk {
 public:
  __device__ HeadWalk(int64_t N, unsigned H) : triples_(N * H), heads_(H) {
    const unsigned stride = gridDim.x * Team::kTeams, self = first_of_block() + Team::team();
    step_n_ = stride / H, step_h_ = stride % H;
    n_ = self / H, h_ = self % H;
    first_ = first_of_block();
  }
  // The same for all threads of a block; a team that has_triple() or not goes along.
  __device__ bool block_goes_on() const { return first_ < triples_; }
  __device__ bool has_triple() const { return first_ + Team::team() < triples_; }
  __device__ void next() {
    first_ += int64_t(gridDim.x) * Team::kTeams;
    n_ += step_n_, h_ += step_h_;
    if (h_ >= heads_) h_ -= heads_, ++n_;
  }
  // Of the query head, in heads of x and in heads of mean and rstd.
  __device__ int64_t head() const { return 3 * n_ * heads_ + h_; }
  __device__ int64_t statistic() const { return 2 * n_ * heads_ + h_; }

 private:
  __device__ static unsigned first_of_block() { return blockIdx.x * Team::kTeams; }
  int64_t triples_, first_, n_;
  unsigned heads_, h_, step_n_, step_h_;
};

// Reads x and writes y once for each element, where a team holds its heads.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads)
    qk_norm_forward_kernel(T* y, float* mean, float* rstd, const T* x, const T* gamma_q,
                           const T* beta_q, const T* gamma_k, const T* beta_k, int64_t N,
                           unsigned H, int64_t D, float eps) {
  auto& room = shared<NormRoom<Team>>();
  for (HeadWalk<Team> walk(N, H); walk.block_goes_on(); walk.next()) {
    const int64_t width = walk.has_triple() ? D : 0, apart = H * D, at = walk.head() * D;
    const T* in = x + at;
    const Row<Team> q(in, width), k(in + apart, width), v(in + 2 * apart, width);
    T* out = y + at;
    float *m = mean + walk.statistic(), *r = rstd + walk.statistic();
    normalize_row(room, out, m, r, q, gamma_q, beta_q, width, float(D), eps);
    normalize_row(room, out + apart, m + H, r + H, k, gamma_k, beta_k, width, float(D), eps);
    Team::each(width, [&](int u, int64_t column) {
      Team::store(out + 2 * apart + column, v.unit(u, column));
    });
  }
}

// Reads dy, and x of queries and keys, and writes dx once for each element, where a team holds its
// heads. The column sums are dgamma_q, dbeta_q, dgamma_k, dbeta_k.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads)
    qk_norm_backward_kernel(T* dx, float* parts, const T* dy, const T* x, const float* mean,
                            const float* rstd, const T* gamma_q, const T* gamma_k, int64_t N,
                            unsigned H, int64_t D) {
  auto& room = shared<NormRoom<Team, 4>>();
  ColumnSums<Team, 4> parameters(parts + blockIdx.x * 4 * D, D);
  const auto no_skip = [](int, int64_t) { return typename Team::Unit{}; };
  for (HeadWalk<Team> walk(N, H); walk.block_goes_on(); walk.next()) {
    const bool has = walk.has_triple();
    const int64_t width = has ? D : 0, apart = H * D, at = walk.head() * D;
    const T *in = x + at, *grad = dy + at;
    const Row<Team> dq(grad, width), q(in, width), dk(grad + apart, width), k(in + apart, width),
        dv(grad + 2 * apart, width);
    T* out = dx + at;
    const float *m = mean + walk.statistic(), *r = rstd + walk.statistic();
    const float m_q = has ? m[0] : 0, m_k = has ? m[H] : 0;
    const float r_q = has ? r[0] : 0, r_k = has ? r[H] : 0;
    normalize_row_backward<Team, 0>(room, out, parameters, dq, q, m_q, r_q, gamma_q, no_skip, width,
                                    float(D));
    normalize_row_backward<Team, 2>(room, out + apart, parameters, dk, k, m_k, r_k, gamma_k,
                                    no_skip, width, float(D));
    Team::each(width, [&](int u, int64_t column) {
      Team::store(out + 2 * apart + column, dv.unit(u, column));
    });
  }
  parameters.finish(room);
}

// Calls body(Team{}) with the team for heads of D values.
template <class T, class Body>
void dispatch_head(int64_t D, bool by_packs, Body&& body) {
  if (by_packs && D <= 32) return body(Team<T, 4, 8>{});
  if (by_packs && D <= 64) return body(Team<T, 8, 8>{});
  if (by_packs && D <= 128) return body(Team<T, 16, 8>{});
  return body(Team<T, 32, 0>{});
}

}  // namespace

void qk_norm_forward(Stream& stream, Out y, Out mean, Out rstd, In x, In gamma_q, In beta_q,
                     In gamma_k, In beta_k, float eps) {
  check_qk_rows("qk_norm_forward", x, mean[1], gamma_q);
  const int64_t N = x[0], H = mean[1] / 2, D = gamma_q[0];
  if (N * H == 0) return;
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    T* to = y.as<T>();
    const T *in = x.as<T>(), *scale_q = gamma_q.as<T>(), *shift_q = beta_q.as<T>(),
            *scale_k = gamma_k.as<T>(), *shift_k = beta_k.as<T>();
    const bool by_packs = packs<T>(D, to, in, scale_q, shift_q, scale_k, shift_k);
    dispatch_head<T>(D, by_packs, [&]<class Team>(Team) {
      Grid grid = grid_of_rows<Team>(N * H);
      grid.blocks.x = std::min(grid.blocks.x, kMostForwardBlocks);
      launch<qk_norm_forward_kernel<T, Team>>(stream, grid, to, mean.as<float>(), rstd.as<float>(),
                                              in, scale_q, shift_q, scale_k, shift_k, N,
                                              unsigned(H), D, eps);
    });
  });
}

void qk_norm_backward(Stream& stream, Out dx, Acc dgamma_q, Acc dbeta_q, Acc dgamma_k, Acc dbeta_k,
                      In dy, In x, In mean, In rstd, In gamma_q, In gamma_k) {
  check_qk_rows("qk_norm_backward", x, mean[1], gamma_q);
  const int64_t N = x[0], H = mean[1] / 2, D = gamma_q[0];
  if (N * H == 0) return;
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    T* to = dx.as<T>();
    const T *grad = dy.as<T>(), *in = x.as<T>(), *scale_q = gamma_q.as<T>(),
            *scale_k = gamma_k.as<T>();
    dispatch_head<T>(D, packs<T>(D, to, grad, in, scale_q, scale_k), [&]<class Team>(Team) {
      const Grid grid = grid_of_parts<Team, 4>(N * H);
      float* parts = stream.scratch().reserve<float>(grid.blocks.x * 4 * D);
      launch<qk_norm_backward_kernel<T, Team>>(stream, grid, to, parts, grad, in, mean.as<float>(),
                                               rstd.as<float>(), scale_q, scale_k, N, unsigned(H),
                                               D);
      const ColumnTotals<4> totals{dgamma_q.as<float>(), dbeta_q.as<float>(), dgamma_k.as<float>(),
                                   dbeta_k.as<float>()};
      add_parts<4>(stream, totals, parts, grid.blocks.x, D);
    });
  });
}

}  // namespace laclip::cuda

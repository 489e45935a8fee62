// layernorm, rmsnorm, qk_norm, l2_normalize
#include "kernels/ops/l2_normalize.h"
#include "kernels/ops/layernorm.h"
#include "kernels/ops/qk_norm.h"
#include "kernels/ops/rmsnorm.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

constexpr float kEps = 1e-5f;

// One row of width C from x + at to y + at; returns through mean and rstd.
template <class V, class S>
void normalize(V& t, const std::string& gamma, const std::string& beta, int64_t at, int64_t C,
               S& mean, S& rstd) {
  S sum = 0, squares = 0;
  for (int64_t c = 0; c < C; ++c) sum += t["x"][size_t(at + c)];
  mean = sum / double(C);
  for (int64_t c = 0; c < C; ++c) {
    const S d = t["x"][size_t(at + c)] - mean;
    squares += d * d;
  }
  using std::sqrt;
  rstd = 1.0 / sqrt(squares / double(C) + double(kEps));
  for (int64_t c = 0; c < C; ++c)
    t["y"][size_t(at + c)] =
        t[gamma][size_t(c)] * (t["x"][size_t(at + c)] - mean) * rstd + t[beta][size_t(c)];
}

const auto layernorm_reference = [](auto& t) {
  for (int64_t n = 0; n < t('N'); ++n)
    normalize(t, "gamma", "beta", n * t('C'), t('C'), t["mean"][size_t(n)], t["rstd"][size_t(n)]);
};

TEST(Layernorm, ValueAndRoles) {
  for (auto [N, C] : {std::pair{3, 5}, {40, 64}, {1, 257}, {600, 17}})
    check_op(layernorm_forward, {{'N', N}, {'C', C}}, layernorm_reference, std::tuple{kEps});
}

TEST(Layernorm, Gradient) {
  for (auto [N, C] : {std::pair{3, 5}, {70, 64}, {600, 17}})
    check_gradient(layernorm_forward, layernorm_backward, {{'N', N}, {'C', C}}, layernorm_reference,
                   std::tuple{kEps}, std::tuple{}, {.absent = {"dskip"}});
}

// backward's own contract: the gradient by the formula, with a skip gradient added
TEST(Layernorm, BackwardRolesAndSkip) {
  const auto reference = [](auto& t) {
    const int64_t N = t('N'), C = t('C');
    for (int64_t n = 0; n < N; ++n) {
      double sum_g = 0, sum_gx = 0;
      const double mean = t["mean"][size_t(n)], rstd = t["rstd"][size_t(n)];
      auto normal = [&](int64_t c) { return (t["x"][size_t(n * C + c)] - mean) * rstd; };
      auto g = [&](int64_t c) { return t["gamma"][size_t(c)] * t["dy"][size_t(n * C + c)]; };
      for (int64_t c = 0; c < C; ++c) {
        t["dgamma"][size_t(c)] += t["dy"][size_t(n * C + c)] * normal(c);
        t["dbeta"][size_t(c)] += t["dy"][size_t(n * C + c)];
        sum_g += g(c);
        sum_gx += g(c) * normal(c);
      }
      for (int64_t c = 0; c < C; ++c)
        t["dx"][size_t(n * C + c)] =
            rstd * (g(c) - sum_g / double(C) - normal(c) * sum_gx / double(C)) +
            t["dskip"][size_t(n * C + c)];
    }
  };
  for (auto [N, C] : {std::pair{2, 7}, {90, 33}})
    check_op(layernorm_backward, {{'N', N}, {'C', C}}, reference);
}

TEST(Layernorm, LargeMeanDoesNotCancel) {
  OpInputs inputs;
  inputs.given["x"] = random_normal(2 * 64, 5);
  for (double& x : inputs.given["x"]) x = double(float(x + 100.0));
  check_op(layernorm_forward, {{'N', 2}, {'C', 64}}, layernorm_reference, std::tuple{kEps}, inputs,
           {DType::f32});
}

const auto rmsnorm_reference = [](auto& t) {
  const int64_t C = t('C');
  for (int64_t n = 0; n < t('N'); ++n) {
    double squares = 0;
    for (int64_t c = 0; c < C; ++c)
      squares += t["x"][size_t(n * C + c)] * t["x"][size_t(n * C + c)];
    for (int64_t c = 0; c < C; ++c)
      t["y"][size_t(n * C + c)] = t["gamma"][size_t(c)] * t["x"][size_t(n * C + c)] /
                                  std::sqrt(squares / double(C) + double(kEps));
  }
};

TEST(Rmsnorm, ValueAndRoles) {
  for (auto [N, C] : {std::pair{3, 5}, {33, 64}, {300, 172}})
    check_op(rmsnorm_forward, {{'N', N}, {'C', C}}, rmsnorm_reference, std::tuple{kEps});
}

const auto qk_norm_reference = [](auto& t) {
  const int64_t J = t('J'), D = t('D'), Q = t('Q');
  for (int64_t n = 0; n < t('N'); ++n) {
    for (int64_t j = 0; j < J; ++j)
      normalize(t, j < J / 2 ? "gamma_q" : "gamma_k", j < J / 2 ? "beta_q" : "beta_k",
                n * Q + j * D, D, t["mean"][size_t(n * J + j)], t["rstd"][size_t(n * J + j)]);
    for (int64_t i = J * D; i < Q; ++i) t["y"][size_t(n * Q + i)] = t["x"][size_t(n * Q + i)];
  }
};

TEST(QkNorm, ValueAndGradient) {
  for (auto [N, H, D] : {std::tuple{3, 1, 5}, {50, 3, 32}}) {
    const Sizes sizes{{'N', N}, {'J', 2 * H}, {'D', D}, {'Q', 3 * H * D}};
    check_op(qk_norm_forward, sizes, qk_norm_reference, std::tuple{kEps});
    check_gradient(qk_norm_forward, qk_norm_backward, sizes, qk_norm_reference, std::tuple{kEps},
                   std::tuple{});
  }
}

const auto l2_reference = [](auto& t) {
  using S = typename std::decay_t<decltype(t)>::Scalar;
  using std::sqrt;
  const int64_t E = t('E');
  for (int64_t b = 0; b < t('B'); ++b) {
    S squares = 0;
    for (int64_t e = 0; e < E; ++e)
      squares += t["x"][size_t(b * E + e)] * t["x"][size_t(b * E + e)];
    t["norm"][size_t(b)] = sqrt(squares);
    for (int64_t e = 0; e < E; ++e)
      t["y"][size_t(b * E + e)] = t["x"][size_t(b * E + e)] / t["norm"][size_t(b)];
  }
};

TEST(L2Normalize, ValueAndGradient) {
  for (auto [B, E] : {std::pair{3, 5}, {20, 64}}) {
    check_op(l2_normalize_forward, {{'B', B}, {'E', E}}, l2_reference);
    check_gradient(l2_normalize_forward, l2_normalize_backward, {{'B', B}, {'E', E}}, l2_reference,
                   std::tuple{}, std::tuple{});
  }
}

TEST(L2Normalize, AZeroRowStaysFinite) {
  std::vector<float> x(4, 0.0f), y(4, 1.0f), norm(1);
  Stream stream;
  l2_normalize_forward(stream, tensor_of(y.data(), {1, 4}), tensor_of(norm.data(), {1}),
                       tensor_of(x.data(), {1, 4}));
  EXPECT_EQ(y, std::vector<float>(4, 0.0f));
}

}  // namespace
}  // namespace laclip::test

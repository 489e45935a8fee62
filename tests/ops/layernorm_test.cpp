#include "kernels/ops/layernorm.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"
#include "tests/ops/norm_reference.h"

namespace laclip::test {
namespace {

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

// Every way in which CUDA threads share a row: parts of a warp, a warp, a block; in registers or
// read again; with lanes and teams that have nothing.
TEST(Layernorm, AllWidths) {
  constexpr std::pair<int, int> kShapes[] = {{67, 24},  {19, 104}, {17, 200}, {9, 392},
                                             {9, 768},  {3, 1000}, {3, 1003}, {3, 1160},
                                             {2, 2056}, {2, 4104}, {2, 1027}, {2, 8200}};
  for (auto [N, C] : kShapes) {
    // The mean of thousands of values around 0 is nearly 0, and rounding is then large beside it.
    OpInputs inputs;
    inputs.given["x"] = random_normal(int64_t(N) * C, 6);
    for (double& x : inputs.given["x"]) x = double(float(x + 0.5));
    check_op(layernorm_forward, {{'N', N}, {'C', C}}, layernorm_reference, std::tuple{kEps},
             inputs);
    check_gradient(layernorm_forward, layernorm_backward, {{'N', N}, {'C', C}}, layernorm_reference,
                   std::tuple{kEps}, std::tuple{}, {.absent = {"dskip"}});
  }
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
  for (auto [N, C] : {std::pair{2, 7}, {90, 33}, {90, 64}, {5, 1160}})
    check_op(layernorm_backward, {{'N', N}, {'C', C}}, reference);
}

TEST(Layernorm, LargeMeanDoesNotCancel) {
  OpInputs inputs;
  inputs.given["x"] = random_normal(2 * 64, 5);
  for (double& x : inputs.given["x"]) x = double(float(x + 100.0));
  check_op(layernorm_forward, {{'N', 2}, {'C', 64}}, layernorm_reference, std::tuple{kEps}, inputs);
}

}  // namespace
}  // namespace laclip::test

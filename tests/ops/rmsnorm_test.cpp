#include "kernels/ops/rmsnorm.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

constexpr float kEps = 1e-5f;

const auto reference = [](auto& t) {
  using S = typename std::decay_t<decltype(t)>::Scalar;
  using std::sqrt;
  const auto N = size_t(t('N')), C = size_t(t('C'));
  for (size_t n = 0; n < N; ++n) {
    S squares = 0;
    for (size_t c = 0; c < C; ++c) squares += t["x"][n * C + c] * t["x"][n * C + c];
    const S rstd = 1.0 / sqrt(squares / double(C) + double(kEps));
    t["rstd"][n] = rstd;
    for (size_t c = 0; c < C; ++c) t["y"][n * C + c] = t["gamma"][c] * t["x"][n * C + c] * rstd;
  }
};

TEST(Rmsnorm, ValueAndRoles) {
  for (auto [N, C] : {std::pair{3, 5}, {33, 64}, {300, 172}}) {
    check_op(rmsnorm_forward, {{'N', N}, {'C', C}}, reference, std::tuple{kEps});
    check_op(rmsnorm_forward, {{'N', N}, {'C', C}}, reference, std::tuple{kEps},
             {.absent = {"rstd"}});
  }
}

TEST(Rmsnorm, Gradient) {
  for (auto [N, C] : {std::pair{3, 5}, {70, 64}, {600, 17}})
    check_gradient(rmsnorm_forward, rmsnorm_backward, {{'N', N}, {'C', C}}, reference,
                   std::tuple{kEps}, std::tuple{}, {.absent = {"dskip"}});
}

// Every way in which CUDA threads share a row (see Layernorm.AllWidths).
TEST(Rmsnorm, AllWidths) {
  constexpr std::pair<int, int> kShapes[] = {{67, 24},  {19, 104}, {17, 200}, {9, 392},
                                             {9, 768},  {3, 1000}, {3, 1003}, {3, 1160},
                                             {2, 2056}, {2, 4104}, {2, 1027}, {2, 8200}};
  for (auto [N, C] : kShapes) {
    check_op(rmsnorm_forward, {{'N', N}, {'C', C}}, reference, std::tuple{kEps});
    check_gradient(rmsnorm_forward, rmsnorm_backward, {{'N', N}, {'C', C}}, reference,
                   std::tuple{kEps}, std::tuple{}, {.absent = {"dskip"}});
  }
}

// backward's own contract: the gradient by the formula, with a skip gradient added
TEST(Rmsnorm, BackwardRolesAndSkip) {
  const auto formula = [](auto& t) {
    const auto N = size_t(t('N')), C = size_t(t('C'));
    for (size_t n = 0; n < N; ++n) {
      const double rstd = t["rstd"][n];
      double sum_gx = 0;
      auto normal = [&](size_t c) { return t["x"][n * C + c] * rstd; };
      auto g = [&](size_t c) { return t["gamma"][c] * t["dy"][n * C + c]; };
      for (size_t c = 0; c < C; ++c) {
        t["dgamma"][c] += t["dy"][n * C + c] * normal(c);
        sum_gx += g(c) * normal(c);
      }
      for (size_t c = 0; c < C; ++c)
        t["dx"][n * C + c] = rstd * (g(c) - normal(c) * sum_gx / double(C)) + t["dskip"][n * C + c];
    }
  };
  for (auto [N, C] : {std::pair{2, 7}, {90, 33}, {90, 64}, {5, 1160}})
    check_op(rmsnorm_backward, {{'N', N}, {'C', C}}, formula);
}

}  // namespace
}  // namespace laclip::test

#include "kernels/ops/qk_norm.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"
#include "tests/ops/norm_reference.h"

namespace laclip::test {
namespace {

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
  for (auto [N, H, D] : {std::tuple{3, 1, 5}, {50, 3, 32}, {21, 7, 64}, {5, 2, 120}, {3, 2, 136}}) {
    const Sizes sizes{{'N', N}, {'J', 2 * H}, {'D', D}, {'Q', 3 * H * D}};
    check_op(qk_norm_forward, sizes, qk_norm_reference, std::tuple{kEps});
    check_gradient(qk_norm_forward, qk_norm_backward, sizes, qk_norm_reference, std::tuple{kEps},
                   std::tuple{});
  }
}

}  // namespace
}  // namespace laclip::test

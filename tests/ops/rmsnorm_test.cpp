#include "kernels/ops/rmsnorm.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

constexpr float kEps = 1e-5f;

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

}  // namespace
}  // namespace laclip::test

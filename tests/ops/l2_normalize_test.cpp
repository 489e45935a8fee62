#include "kernels/ops/l2_normalize.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

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
  for (auto [B, E] :
       {std::pair{3, 5}, {20, 64}, {37, 24}, {9, 512}, {3, 1000}, {2, 1160}, {2, 1027}}) {
    check_op(l2_normalize_forward, {{'B', B}, {'E', E}}, l2_reference);
    check_gradient(l2_normalize_forward, l2_normalize_backward, {{'B', B}, {'E', E}}, l2_reference,
                   std::tuple{}, std::tuple{});
  }
}

TEST(L2Normalize, AZeroRowStaysFinite) {
  const auto zero = [](auto& t) {
    t["norm"][0] = 1e-12;
    for (auto& y : t["y"]) y = 0;
  };
  OpInputs inputs;
  inputs.given["x"] = Doubles(8, 0.0);
  check_op(l2_normalize_forward, {{'B', 1}, {'E', 8}}, zero, {}, inputs);
}

}  // namespace
}  // namespace laclip::test

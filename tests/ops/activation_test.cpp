#include "kernels/ops/activation.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"
#include "tests/ops/activation_reference.h"

namespace laclip::test {
namespace {

TEST(Activation, ValueAndGradient) {
  for (Activation kind : {Activation::gelu, Activation::quick_gelu}) {
    const auto reference = [kind](auto& t) {
      for (size_t i = 0; i < t["x"].size(); ++i) t["y"][i] = activation_reference(t["x"][i], kind);
    };
    for (auto [N, F] : {std::pair{1, 1}, {3, 17}, {40, 96}}) {
      const Sizes sizes{{'N', N}, {'F', F}};
      check_op(activation_forward, sizes, reference, std::tuple{kind});
      check_gradient(activation_forward, activation_backward, sizes, reference, std::tuple{kind},
                     std::tuple{kind});
    }
    OpInputs extremes;  // far out, the exponential must neither overflow nor lose the sign
    extremes.given["x"] = {-200, -90, -30, -6, -1e-6, 0, 1e-6, 6, 30, 90, 200};
    check_op(activation_forward, {{'N', 1}, {'F', 11}}, reference, std::tuple{kind}, extremes);
  }
}

const auto swiglu_reference = [](auto& t) {
  using std::exp;
  const auto N = size_t(t('N')), F = size_t(t('F'));
  for (size_t n = 0; n < N; ++n)
    for (size_t f = 0; f < F; ++f) {
      const auto g = t["x"][n * 2 * F + f], u = t["x"][n * 2 * F + F + f];
      t["y"][n * F + f] = g / (1.0 + exp(-g)) * u;
    }
};

TEST(Swiglu, ValueAndGradient) {
  for (auto [N, F] : {std::pair{1, 1}, {3, 17}, {5, 20}, {40, 96}}) {
    const Sizes sizes{{'N', N}, {'F', F}};
    check_op(swiglu_forward, sizes, swiglu_reference);
    check_gradient(swiglu_forward, swiglu_backward, sizes, swiglu_reference, std::tuple{},
                   std::tuple{});
  }
}

}  // namespace
}  // namespace laclip::test

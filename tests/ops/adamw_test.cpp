#include "kernels/ops/adamw.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

TEST(Adamw, FollowsItsFormulas) {
  for (bool clip : {false, true}) {
    const AdamwOptions o{.lr = 0.01f,
                         .beta1 = 0.9f,
                         .beta2 = 0.98f,
                         .eps = 1e-6f,
                         .decay = 0.2f,
                         .max_norm = clip ? 5e-4f : 0.0f,
                         .decayed = 18,  // within a pack of 16 bytes
                         .step = 3};
    OpInputs inputs{.given = {{"square_norm", {1e-6}}}};
    inputs.given["v"] = random_normal(37, 9);
    for (double& v : inputs.given["v"]) v = v * v;
    check_op(
        adamw, {{'N', 37}},
        [=](auto& t) {
          const double factor = clip ? 5e-4 / (1e-3 + 1e-6) : 1.0;
          for (size_t i = 0; i < 37; ++i) {
            const double g = t["gradient"][i] * factor;
            double &m = t["m"][i], &v = t["v"][i], &w = t["w"][i];
            m = double(o.beta1) * m + (1 - double(o.beta1)) * g;
            v = double(o.beta2) * v + (1 - double(o.beta2)) * g * g;
            const double corrected_m = m / (1 - std::pow(double(o.beta1), 3));
            const double corrected_v = v / (1 - std::pow(double(o.beta2), 3));
            w -= double(o.lr) * ((i < 18 ? double(o.decay) * w : 0.0) +
                                 corrected_m / (std::sqrt(corrected_v) + double(o.eps)));
            t["value"][i] = w;
          }
        },
        std::tuple{o}, inputs);
  }
}

TEST(Adamw, ClippingNeedsTheNorm) {
  std::vector<float> w(4), m(4), v(4), gradient(4, 1);
  auto t = [](std::vector<float>& x) { return tensor_of(x.data(), {4}); };
  Stream stream;
  EXPECT_THROW(adamw(stream, t(w), t(m), t(v), none, t(gradient), none, {.max_norm = 1}), Error);
  EXPECT_NO_THROW(adamw(stream, t(w), t(m), t(v), none, t(gradient), none, {}));
}

}  // namespace
}  // namespace laclip::test

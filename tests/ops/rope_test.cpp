#include "kernels/ops/rope.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

TEST(Rope, RotatesQueriesAndKeysOnly) {
  const int64_t H = 3, K = 1, D = 8, Q = (H + 2 * K) * D;
  const OpInputs inputs{.given = {{"positions", {0, 4, 2}}}};
  check_op(
      rope_forward, {{'N', 3}, {'Q', Q}, {'T', 5}, {'D', D}},
      [=](auto& t) {
        for (int64_t n = 0; n < 3; ++n)
          for (int64_t h = 0; h < H + K; ++h)
            for (int64_t i = 0; i < D / 2; ++i) {
              const auto row = size_t(t["positions"][size_t(n)]) * size_t(D);
              const double c = t["table"][row + size_t(i)], s = t["table"][row + size_t(D / 2 + i)];
              double &a = t["qkv"][size_t(n * Q + h * D + i)],
                     &b = t["qkv"][size_t(n * Q + h * D + D / 2 + i)];
              const double rotated = a * c - b * s;
              b = b * c + a * s;
              a = rotated;
            }
      },
      std::tuple{RopeOptions{int(H), int(K)}}, inputs);
}

}  // namespace
}  // namespace laclip::test

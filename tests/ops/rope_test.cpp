#include "kernels/ops/rope.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

constexpr size_t H = 3, K = 1, D = 8, Q = (H + 2 * K) * D;
const Sizes kSizes{{'N', 3}, {'Q', int64_t(Q)}, {'T', 5}, {'D', int64_t(D)}};
const OpInputs kInputs{.given = {{"positions", {0, 4, 2}}}};

// Turns the query and key heads of `rows`, forwards (1) or back (-1).
const auto rotation = [](const char* rows, double direction) {
  return [=](auto& t) {
    for (size_t n = 0; n < 3; ++n)
      for (size_t h = 0; h < H + K; ++h)
        for (size_t i = 0; i < D / 2; ++i) {
          const size_t angle = size_t(t["positions"][n]) * D + i;
          const double c = t["table"][angle], s = direction * t["table"][angle + D / 2];
          double &a = t[rows][n * Q + h * D + i], &b = t[rows][n * Q + h * D + D / 2 + i];
          const double rotated = a * c - b * s;
          b = b * c + a * s;
          a = rotated;
        }
  };
};

TEST(Rope, RotatesQueriesAndKeysOnly) {
  check_op(rope_forward, kSizes, rotation("qkv", 1), std::tuple{RopeOptions{int(H), int(K)}},
           kInputs);
}

// The gradient of a rotation is the rotation back: its transpose.
TEST(Rope, BackwardTurnsBack) {
  check_op(rope_backward, kSizes, rotation("dqkv", -1), std::tuple{RopeOptions{int(H), int(K)}},
           kInputs);
}

}  // namespace
}  // namespace laclip::test

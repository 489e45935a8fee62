#include "kernels/ops/rope.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

constexpr size_t H = 3, K = 1;
constexpr size_t kHeadSizes[] = {6, 8, 16};  // CUDA kernels: pair by pair, or in packs
Sizes sizes_of(size_t D) {
  return {{'N', 3}, {'Q', int64_t((H + 2 * K) * D)}, {'T', 5}, {'D', int64_t(D)}};
}
const OpInputs kInputs{.given = {{"positions", {0, 4, 2}}}};

// Turns the query and key heads of `rows`, forwards (1) or back (-1).
const auto rotation = [](const char* rows, double direction) {
  return [=](auto& t) {
    const auto D = size_t(t('D')), Q = size_t(t('Q'));
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
  for (size_t D : kHeadSizes)
    check_op(rope_forward, sizes_of(D), rotation("qkv", 1), std::tuple{RopeOptions{int(H), int(K)}},
             kInputs);
}

// The gradient of a rotation is the rotation back: its transpose.
TEST(Rope, BackwardTurnsBack) {
  for (size_t D : kHeadSizes)
    check_op(rope_backward, sizes_of(D), rotation("dqkv", -1),
             std::tuple{RopeOptions{int(H), int(K)}}, kInputs);
}

TEST(Rope, APositionOutsideTheTableIsAnError) {
  for (Device device : test_devices())
    for (double position : {-1, 3}) {
      SCOPED_TRACE(name_of(device));
      Stream stream(device);
      const Guarded qkv({2, 12}, DType::f32, device), table({3, 4}, DType::f32, device);
      Guarded positions({2}, DType::i32, device);
      positions.store({0, position});
      const auto run = [&] {
        rope_forward(stream, qkv.tensor, table.tensor, positions.tensor, {1, 1});
        stream.synchronize();
      };
      EXPECT_THROW(run(), Error);
      EXPECT_TRUE(qkv.guards_intact());
    }
}

}  // namespace
}  // namespace laclip::test

#include "kernels/ops/elementwise.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

TEST(Elementwise, Convert) {
  for (DType from : {DType::f32, DType::bf16})
    check_op(convert, {{'N', 1000}}, [](auto& t) { t["y"] = t["x"]; }, std::tuple{},
             {.types = {{"x", from}}});
}

TEST(Elementwise, Fill) {
  for (int64_t n : {1, 1000})
    check_op(
        fill, {{'N', n}}, [](auto& t) { t["y"].assign(t["y"].size(), -1.5); }, std::tuple{-1.5f});
}

TEST(Elementwise, Multiples) {
  check_op(
      multiples, {{'N', 300}},
      [](auto& t) {
        for (size_t i = 0; i < t["y"].size(); ++i) t["y"][i] = double(50 * i);
      },
      std::tuple{50});
}

TEST(Elementwise, Clamp) {
  check_op(
      clamp, {{'N', 300}},
      [](auto& t) {
        for (auto& y : t["y"]) y = std::clamp(y, -0.5, 0.25);
      },
      std::tuple{Bounds{-0.5f, 0.25f}});
}

TEST(Elementwise, ConvertRoundsToNearestEven) {
  for (Device device : test_devices()) {
    SCOPED_TRACE(name_of(device));
    Guarded x({4}, DType::f32, device), y({4}, DType::bf16, device);
    x.store({1, 1.00390625, 1.01171875, -2.7});
    Stream stream(device);
    convert(stream, y.tensor, x.tensor);
    stream.synchronize();
    // 1 + 2^-8 is halfway between 1 and 1 + 2^-7: to even, 1. 1 + 3·2^-8 goes up to 1 + 2^-6.
    EXPECT_EQ(y.load(), (Doubles{1, 1, 1.015625, -2.703125}));
  }
}

}  // namespace
}  // namespace laclip::test

#include "kernels/ops/reduce.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

TEST(Reduce, SumOfSquares) {
  for (int64_t n : {1, 1000, 200000})
    check_op(sum_of_squares, {{'N', n}}, [](auto& t) {
      t["y"][0] = 0;
      for (double x : t["x"]) t["y"][0] += x * x;
    });
}

TEST(Reduce, NanIsSeen) {
  std::vector<float> x(100000, 1.0f), y(1);
  x[77777] = std::nanf("");
  Stream stream;
  sum_of_squares(stream, tensor_of(y.data(), {1}), tensor_of(x.data(), {100000}));
  EXPECT_TRUE(std::isnan(y[0]));
}

}  // namespace
}  // namespace laclip::test

#include "kernels/ops/reduce.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

TEST(Reduce, SumOfSquares) {
  for (int64_t n : {0, 1, 1001, 200000})
    check_op(sum_of_squares, {{'N', n}}, [](auto& t) {
      t["y"][0] = 0;
      for (double x : t["x"]) t["y"][0] += x * x;
    });
}

TEST(Reduce, NanIsSeen) {
  for (Device device : test_devices()) {
    SCOPED_TRACE(name_of(device));
    Stream stream(device);
    Guarded x({100001}, DType::f32, device);
    const Guarded y({1}, DType::f32, device);
    for (size_t place : {77777, 100000}) {  // among the packs of 16 bytes and behind them
      Doubles values(100001, 1.0);
      values[place] = std::nan("");
      x.store(values);
      sum_of_squares(stream, y.tensor, x.tensor);
      stream.synchronize();
      EXPECT_TRUE(std::isnan(y.load()[0])) << place;
    }
  }
}

}  // namespace
}  // namespace laclip::test

#include "kernels/ops/token_ops.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

const auto gather_reference = [](auto& t) {
  const auto C = size_t(t('C'));
  for (size_t b = 0; b < size_t(t('B')); ++b)
    for (size_t c = 0; c < C; ++c)
      t["y"][b * C + c] = t["x"][size_t(value_of(t["rows"][b])) * C + c];
};

TEST(GatherRows, ValueAndGradient) {
  const OpInputs inputs{.given = {{"rows", {5, 0, 3}}}};
  for (int64_t C : {5, 16}) {
    const Sizes sizes{{'N', 7}, {'C', C}, {'B', 3}};
    check_op(gather_rows_forward, sizes, gather_reference, std::tuple{}, inputs);
    check_gradient(gather_rows_forward, gather_rows_backward, sizes, gather_reference, std::tuple{},
                   std::tuple{}, inputs);
  }
}

TEST(GatherRows, NoRows) {
  const Sizes sizes{{'N', 7}, {'C', 5}, {'B', 0}};
  check_op(gather_rows_forward, sizes, gather_reference);
  check_op(gather_rows_backward, sizes, [](auto& t) {
    for (auto& dx : t["dx"]) dx = 0;
  });
}

TEST(GatherRows, ARowOutsideIsAnError) {
  for (Device device : test_devices())
    for (double row : {-1, 4}) {
      SCOPED_TRACE(name_of(device));
      Stream stream(device);
      const Guarded x({4, 3}, DType::f32, device), y({2, 3}, DType::f32, device);
      Guarded rows({2}, DType::i32, device);
      rows.store({0, row});
      const auto forward = [&] {
        gather_rows_forward(stream, y.tensor, x.tensor, rows.tensor);
        stream.synchronize();
      };
      const auto backward = [&] {
        gather_rows_backward(stream, x.tensor, y.tensor, rows.tensor);
        stream.synchronize();
      };
      EXPECT_THROW(forward(), Error);
      EXPECT_THROW(backward(), Error);
      EXPECT_TRUE(x.guards_intact() && y.guards_intact());
    }
}

}  // namespace
}  // namespace laclip::test

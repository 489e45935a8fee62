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
  const OpInputs inputs{.given = {{"rows", {6, 0, 3}}}};
  const Sizes sizes{{'N', 7}, {'C', 5}, {'B', 3}};
  check_op(gather_rows_forward, sizes, gather_reference, std::tuple{}, inputs);
  check_gradient(gather_rows_forward, gather_rows_backward, sizes, gather_reference, std::tuple{},
                 std::tuple{}, inputs);
}

}  // namespace
}  // namespace laclip::test

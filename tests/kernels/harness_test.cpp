// The harness's own measure of errors: what it must not let pass.
#include <gtest/gtest.h>

#include <limits>

#include "tests/harness/operands.h"

namespace laclip::test {
namespace {

TEST(RelativeError, SeesWhatIsNotFinite) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(relative_error({1, 2}, {1, 2}), 0);
  EXPECT_NEAR(relative_error({3, 3.3}, {3, 3}), 0.05, 1e-9);
  EXPECT_EQ(relative_error({1, nan}, {1, 2}), 1e30);
  EXPECT_EQ(relative_error({1, 2}, {1, nan}), 1e30);
  EXPECT_EQ(relative_error({1, 2}, {1, infinity}), 1e30);
  EXPECT_EQ(relative_error({1, -infinity}, {1, infinity}), 1e30);
  EXPECT_EQ(relative_error({nan, infinity}, {nan, infinity}), 0);
  EXPECT_NEAR(relative_error({3, nan, 3.3}, {3, nan, 3}), 0.05, 1e-9);
  EXPECT_NEAR(relative_error({3, -infinity, 3.3}, {3, -infinity, 3}), 0.05, 1e-9);
}

}  // namespace
}  // namespace laclip::test

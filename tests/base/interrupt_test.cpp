#include "base/interrupt.h"

#include <gtest/gtest.h>

namespace laclip {
namespace {

TEST(Interrupts, ABatchSystemsTwoSignalsAskOnce) {
  const CatchInterrupts scope;
  EXPECT_FALSE(interrupted());
  std::raise(SIGUSR1);
  EXPECT_TRUE(interrupted());
  std::raise(SIGTERM);  // would end the test if it were not caught
  std::raise(SIGINT);
  EXPECT_TRUE(interrupted());
}

TEST(Interrupts, ASecondControlCEndsAtOnce) {
  EXPECT_EXIT(
      {
        const CatchInterrupts scope;
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST(Interrupts, OutsideOfTheBlockSignalsHaveTheirUsualMeaning) {
  EXPECT_EXIT(
      {
        { const CatchInterrupts scope; }
        std::raise(SIGTERM);
      },
      testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace laclip

// What all commands share: failures as one line, signals.
#include "apps/command.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/json.h"
#include "kernels/core/cpu_level.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

template <class Body>
std::string text_of(Body&& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return failure_text(error, "train");
  }
  return "no failure";
}

TEST(FailureText, NamesTheCommandAndACureForWhatLibrariesThrow) {
  EXPECT_EQ(text_of([] { fail("a.txt: empty"); }), "laclip train: a.txt: empty");
  EXPECT_EQ(text_of([] { throw std::bad_alloc(); }),
            "laclip train: out of memory; use a smaller batch, model or data set");
  EXPECT_EQ(text_of([] { fs::create_directory("/proc/nothing/x"); }),
            "laclip train: /proc/nothing/x: No such file or directory; check the path and its "
            "permissions");
  const std::string json = text_of([] { return Json::array().at(3); });
  EXPECT_NE(json.find("see laclip train --help"), std::string::npos) << json;
}

TEST(Options, NumbersOutsideTheirRangeAreNamed) {
  const auto error_of = [](const char* command, const char* option, const char* value) {
    const test::Outcome done = test::run({command, option, value});
    EXPECT_EQ(done.code, 2);
    return done.err.substr(0, done.err.find('\n'));
  };
  EXPECT_EQ(error_of("plan", "--batch-size", "-3"),
            "laclip: --batch-size: '-3' is not a number above 0");
  EXPECT_EQ(error_of("plan", "--batch-size", "0"),
            "laclip: --batch-size: '0' is not a number above 0");
  EXPECT_EQ(error_of("plan", "--batch-size", "x"),
            "laclip: --batch-size: 'x' is not a number above 0");
  EXPECT_EQ(error_of("plan", "--batch-size", "nan"),
            "laclip: --batch-size: 'nan' is not a number above 0");
  EXPECT_EQ(error_of("world", "--documents", "-1"),
            "laclip: --documents: '-1' is not a number from 0 on");
}

TEST(Program, AWrongVariableIsAUsageError) {
  const auto outcome = [](const char* name, const std::string& value) {
    const char* given = std::getenv(name);
    const std::string before = given ? given : "";
    setenv(name, value.c_str(), 1);
    const test::Outcome done = test::run({"plan"});
    given ? setenv(name, before.c_str(), 1) : unsetenv(name);
    EXPECT_EQ(done.code, 2) << value;
    EXPECT_EQ(done.out, "") << value;
    return done.err;
  };
  EXPECT_EQ(outcome("LACLIP_CPU", "avx1024"),
            "laclip: LACLIP_CPU=avx1024: baseline, avx2, avx512, avx512_bf16 and amx are "
            "possible\n");
  EXPECT_EQ(outcome("OMP_NUM_THREADS", "abc"),
            "laclip: OMP_NUM_THREADS=abc: a number of threads from 1 on is needed; unset it or "
            "name one\n");
  if (const auto above = size_t(best_cpu_level()) + 1; above < kCpuLevels) {
    const std::string level(name_of(CpuLevel(above)));
    EXPECT_EQ(outcome("LACLIP_CPU", level),
              fmt::format("laclip: LACLIP_CPU={}: this CPU has {} at most; unset it or name that\n",
                          level, name_of(best_cpu_level())));
  }
}

// A command that does not look at signals ends by the first one.
TEST(Program, ASignalEndsACommandWithoutAResumableState) {
  test::Program program({"bench", "ceilings"});
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(program.stop(SIGTERM, [] { return true; }).code, 128 + SIGTERM);
}

}  // namespace
}  // namespace laclip

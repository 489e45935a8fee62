#include "apps/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "base/file.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using test::error_of;
using ::testing::HasSubstr;

struct TrainProgram {
  Program program;
  double lr = 1;
  bool strict = false;
  std::vector<std::string> files, runs;
  TrainProgram() {
    Command train = program.add_command("train", "");
    train.add_option("--lr", lr, "");
    train.add_flag("--strict", strict, "");
    train.add_option("--rewrites", files, "");
    train.add_option("runs", runs, "");
  }
  void run(const std::vector<std::string>& arguments) { program.parse(arguments); }
};

TEST(ConfigFile, GivesOptionsAndFlagsOverrideThem) {
  test::TemporaryFolder folder;
  const std::string path = (folder / "run.toml").string();
  write_atomically(path, "lr = 0.5\nstrict = true\nrewrites = [\"a\", \"b\"]\n");
  TrainProgram from_file;
  from_file.run({"train", "--config", path});
  EXPECT_EQ(from_file.lr, 0.5);
  EXPECT_TRUE(from_file.strict);
  EXPECT_EQ(from_file.files, (std::vector<std::string>{"a", "b"}));
  TrainProgram overridden;
  overridden.run({"train", "--config=" + path, "--lr", "2"});
  EXPECT_EQ(overridden.lr, 2);
  EXPECT_TRUE(overridden.strict);
}

TEST(ConfigFile, AnEmptyListMeansNotGiven) {
  test::TemporaryFolder folder;
  const std::string path = (folder / "run.toml").string();
  for (const char* empty : {"[]", "{}", "\"{}\"", "\"\""}) {
    write_atomically(path, "rewrites = " + std::string(empty) + "\nlr = 0.5\n");
    TrainProgram program;
    program.run({"train", "--config", path});
    EXPECT_TRUE(program.files.empty()) << empty;
    EXPECT_EQ(program.lr, 0.5) << empty;
  }
}

TEST(ConfigFile, AListTakesNoPositionalArguments) {
  test::TemporaryFolder folder;
  const std::string path = (folder / "run.toml").string();
  write_atomically(path, "rewrites = [\"a\", \"b\"]\n");
  TrainProgram program;
  program.run({"train", "one", "two", "--config", path});
  EXPECT_EQ(program.files, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(program.runs, (std::vector<std::string>{"one", "two"}));
  EXPECT_THROW(TrainProgram().run({"train", "--config", folder.path().string()}), UsageError);
}

TEST(ConfigFile, SectionsMustBelongToTheCommand) {
  test::TemporaryFolder folder;
  const std::string path = (folder / "run.toml").string();
  write_atomically(path, "[train]\nlr = 0.25\n");
  TrainProgram program;
  program.run({"train", "--config", path});
  EXPECT_EQ(program.lr, 0.25);
  write_atomically(path, "[rewrite]\nlr = 0.25\n");
  EXPECT_THROW(TrainProgram().run({"train", "--config", path}), UsageError);
}

TEST(ConfigFile, UnknownOptionsAndMissingFilesAreUsageErrors) {
  test::TemporaryFolder folder;
  const std::string path = (folder / "run.toml").string();
  write_atomically(path, "learning-rate = 1\n");
  EXPECT_THROW(TrainProgram().run({"train", "--config", path}), UsageError);
  EXPECT_THAT(error_of([&] {
                TrainProgram().run({"train", "--config", path});
              }),
              HasSubstr("unknown option 'learning-rate'"));
  EXPECT_THROW(TrainProgram().run({"train", "--config", (folder / "nothing.toml").string()}),
               UsageError);
}

}  // namespace
}  // namespace laclip

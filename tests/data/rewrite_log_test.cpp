// The crash-safe output of rewriting.
#include "data/rewrite_log.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using test::error_of;

const Json kSettings = {{"mode", "human"}, {"seed", 1}};

Json record(size_t index) {
  return {{"index", index},
          {"text", fmt::format("rewritten {}", index)},
          {"original", "line\nend \"q\""}};
}

// Adds what is missing, last caption first, and finishes.
void complete(const fs::path& base, size_t begin, size_t end) {
  RewriteLog log(base, kSettings, begin, end);
  for (size_t i = end; i-- > begin;)
    if (!log.finished() && !log.has(i)) log.add(record(i));
  if (!log.finished()) log.finish();
}

TEST(RewriteLog, ACutAtAnyByteLosesAndDoublesNothing) {
  test::TemporaryFolder folder;
  complete(folder / "whole", 3, 8);
  const std::string want_jsonl = read_text(folder / "whole.jsonl"),
                    want_text = read_text(folder / "whole.txt");
  EXPECT_EQ(want_text, "rewritten 3\nrewritten 4\nrewritten 5\nrewritten 6\nrewritten 7\n");

  std::string part;
  {
    RewriteLog log(folder / "cut", kSettings, 3, 8);
    for (size_t i : {5, 3, 7}) log.add(record(i));
    part = read_text(folder / "cut.part.jsonl");
  }
  for (size_t length = 0; length <= part.size(); ++length) {
    write_atomically(folder / "cut.part.jsonl", part.substr(0, length));
    complete(folder / "cut", 3, 8);
    ASSERT_EQ(read_text(folder / "cut.jsonl"), want_jsonl) << "cut at byte " << length;
    ASSERT_EQ(read_text(folder / "cut.txt"), want_text) << "cut at byte " << length;
    ASSERT_FALSE(fs::exists(folder / "cut.part.jsonl"));
    fs::remove(folder / "cut.jsonl");
    fs::remove(folder / "cut.txt");
  }
}

// After a power failure a file can have zeros, or half a record, before whole ones.
TEST(RewriteLog, TornRecordsAreRewrittenAgain) {
  test::TemporaryFolder folder;
  complete(folder / "whole", 0, 5);
  for (const std::string& torn :
       {std::string(37, '\0') + "\n", record(2).dump().substr(0, 20) + "\n", std::string("\n")}) {
    {
      RewriteLog log(folder / "torn", kSettings, 0, 5);
      for (size_t i : {4, 1}) log.add(record(i));
    }
    const std::string good = read_text(folder / "torn.part.jsonl");
    write_atomically(folder / "torn.part.jsonl", good + torn + record(0).dump() + "\n");
    testing::internal::CaptureStderr();
    {
      RewriteLog log(folder / "torn", kSettings, 0, 5);
      EXPECT_EQ(log.count(), 2u);
      EXPECT_TRUE(log.has(4) && log.has(1));
    }
    const std::string lines = testing::internal::GetCapturedStderr();
    EXPECT_NE(lines.find("torn.part.jsonl:4: "), std::string::npos) << lines;
    EXPECT_NE(lines.find("lost (2 lines"), std::string::npos) << lines;
    EXPECT_EQ(read_text(folder / "torn.part.jsonl"), good);
    complete(folder / "torn", 0, 5);
    EXPECT_EQ(read_text(folder / "torn.jsonl"), read_text(folder / "whole.jsonl"));
    fs::remove(folder / "torn.jsonl");
    fs::remove(folder / "torn.txt");
  }
}

TEST(RewriteLog, AKillBetweenTheLastFilesIsMended) {
  test::TemporaryFolder folder;
  complete(folder / "a", 0, 3);
  const std::string want = read_text(folder / "a.jsonl");
  {
    RewriteLog log(folder / "b", kSettings, 0, 3);
    for (size_t i = 0; i < 3; ++i) log.add(record(i));
  }
  write_atomically(folder / "b.txt",
                   "old");  // .txt was written, .jsonl was not, the part file is there
  complete(folder / "b", 0, 3);
  EXPECT_EQ(read_text(folder / "b.jsonl"), want);
  EXPECT_EQ(read_text(folder / "b.txt"), read_text(folder / "a.txt"));
}

TEST(RewriteLog, OtherSettingsAreRefusedByName) {
  test::TemporaryFolder folder;
  { RewriteLog(folder / "a", kSettings, 0, 3).add(record(0)); }
  Json other = kSettings;
  other["seed"] = 2;
  const auto message = [&](const Json& settings) {
    return error_of([&] { RewriteLog log(folder / "a", settings, 0, 3); });
  };
  EXPECT_NE(message(other).find("seed"), std::string::npos) << message(other);
  EXPECT_EQ(message(kSettings), "");
  complete(folder / "a", 0, 3);
  EXPECT_NE(message(other).find("seed"), std::string::npos);  // of a finished one, too
  EXPECT_TRUE(RewriteLog(folder / "a", kSettings, 0, 3).finished());
}

TEST(RewriteLog, TheTallyCountsEarlierSessions) {
  test::TemporaryFolder folder;
  const auto flagged = [](size_t index, const Json& flags) {
    Json row = record(index);
    row["flags"] = flags;
    return row;
  };
  {
    RewriteLog log(folder / "a", kSettings, 0, 4);
    log.add(flagged(0, Json::array()));
    log.add(flagged(2, {"empty"}));
  }
  RewriteLog log(folder / "a", kSettings, 0, 4);
  log.add(flagged(1, {"empty", "too_long"}));
  log.add(record(3));
  EXPECT_EQ(log.tally(),
            (std::map<std::string, int64_t>{{"rewritten", 2}, {"empty", 2}, {"too_long", 1}}));
  log.finish();
  EXPECT_EQ(read_lines(folder / "a.jsonl").size(), 4u);
}

TEST(RewriteLog, TwoProcessesDoNotMixTheirRecords) {
  test::TemporaryFolder folder;
  RewriteLog log(folder / "a", kSettings, 0, 2);
  log.add(record(1));
  const std::string before = read_text(folder / "a.part.jsonl");
  EXPECT_THROW(RewriteLog(folder / "a", kSettings, 0, 2), Error);
  EXPECT_EQ(read_text(folder / "a.part.jsonl"), before);
}

TEST(RewriteLog, AnUnfinishedOneCannotBeFinished) {
  test::TemporaryFolder folder;
  RewriteLog log(folder / "a", kSettings, 0, 2);
  log.add(record(1));
  EXPECT_THROW(log.finish(), Error);
  EXPECT_FALSE(fs::exists(folder / "a.jsonl"));
}

TEST(RewriteLog, AForeignPartFileIsAnErrorNotALoss) {
  test::TemporaryFolder folder;
  write_atomically(folder / "a.part.jsonl", "this is\nsomebody's file\n");
  EXPECT_THROW(RewriteLog(folder / "a", kSettings, 0, 2), Error);
  EXPECT_EQ(read_text(folder / "a.part.jsonl"), "this is\nsomebody's file\n");
}

}  // namespace
}  // namespace laclip

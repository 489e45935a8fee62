#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "base/philox.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using test::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The known-answer vectors of the Random123 distribution (kat_vectors, philox4x32 10).
TEST(Philox, KnownAnswers) {
  using Block = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, DrawsDependOnPurposeAndItem) {
  std::set<uint32_t> seen;
  for (auto use : {RandomUse::crop, RandomUse::caption_choice})
    for (uint64_t item : {0ull, 1ull, 1ull << 40}) seen.insert(Random(7, use, item).bits());
  EXPECT_EQ(seen.size(), 6u);
  EXPECT_EQ(Random(7, RandomUse::crop, 3).bits(), Random(7, RandomUse::crop, 3).bits());
}

TEST(Philox, BelowIsUniform) {
  Random random(1, RandomUse::test);
  std::array<int, 6> count{};
  for (int i = 0; i < 60000; ++i) ++count[random.below(6)];
  for (int n : count) EXPECT_NEAR(n, 10000, 400);  // four standard deviations
}

TEST(File, AtomicWriteLeavesTheOldFileUntilCommit) {
  test::TemporaryFolder folder;
  write_atomically(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("half");
  }
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_FALSE(fs::exists(folder / "a.tmp"));
  write_atomically(folder / "a", "new");
  EXPECT_EQ(read_text(folder / "a"), "new");
}

TEST(File, FullDiskIsAnErrorThatSaysSo) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  AppendFile file("/dev/full");
  EXPECT_THAT(error_of([&] { file.append("x"); }),
              AllOf(HasSubstr("/dev/full"), HasSubstr("space")));
}

TEST(File, AppendCutsWhatLiesBehindKeep) {
  test::TemporaryFolder folder;
  write_atomically(folder / "a", "one\ntwo\nhal");
  AppendFile(folder / "a", 8).append("three\n");
  EXPECT_EQ(read_lines(folder / "a"), (std::vector<std::string>{"one", "two", "three"}));
}

TEST(File, MissingFileNamesThePath) {
  EXPECT_THAT(error_of([] { read_text("/nowhere/x"); }), HasSubstr("/nowhere/x"));
}

TEST(Json, FieldErrorsNamePlaceAndField) {
  const Json json = parse_json(R"({"layers": "many"})", "c.json");
  EXPECT_THROW(json_field<int>(json, "width", "c.json"), Error);
  EXPECT_EQ(error_of([&] { json_field<int>(json, "layers", "c.json"); }),
            "c.json: field 'layers' is \"many\"; an integer of 32 bits is needed");
}

TEST(File, AnAppendedFileHasOneOwner) {
  test::TemporaryFolder folder;
  write_atomically(folder / "a", "one\ntwo\n");
  AppendFile first(folder / "a");
  EXPECT_THAT(error_of([&] { AppendFile second(folder / "a", 0); }),
              HasSubstr("in use by another process"));
  EXPECT_EQ(read_text(folder / "a"), "one\ntwo\n");  // nothing was cut
  first.cut(4);
  first.append("three\n");
  EXPECT_EQ(read_text(folder / "a"), "one\nthree\n");
}

TEST(ThreadPool, CancelForgetsWhatIsQueued) {
  std::atomic<int> count = 0;
  std::promise<void> begun, go_on;
  {
    ThreadPool pool(1);
    pool.submit([&] {
      begun.set_value();
      go_on.get_future().wait();
      ++count;
    });
    for (int i = 0; i < 100; ++i) pool.submit([&] { count += 1000; });
    begun.get_future().wait();
    pool.cancel();
    pool.submit([&] { count += 10; });
    go_on.set_value();
  }
  EXPECT_EQ(count, 11);
}

TEST(ThreadPool, RunsEveryJobOnce) {
  std::atomic<int> sum = 0;
  {
    ThreadPool pool(3);
    for (int i = 1; i <= 100; ++i) pool.submit([&sum, i] { sum += i; });
  }
  EXPECT_EQ(sum, 5050);
}

TEST(Format, DurationsAndBytes) {
  EXPECT_EQ(format_duration(3675), "1:01:15");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
}

}  // namespace
}  // namespace laclip

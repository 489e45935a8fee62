#include "apps/train/metrics.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

TEST(Tensorboard, ChecksumIsCrc32c) {  // RFC 3720, B.4, and the usual check value
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
}

TEST(Tensorboard, FileIsARowOfRecordsWithTheScalar) {
  test::TemporaryFolder folder;
  TensorboardWriter(folder.path()).scalars(300, {{"train/loss", 2.5}});
  std::string text;
  for (const auto& entry : fs::directory_iterator(folder.path())) text = read_text(entry.path());
  std::vector<std::string> events;
  for (size_t at = 0; at < text.size();) {
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | uint8_t(text[at + size_t(i)]);
    events.push_back(text.substr(at + 12, length));
    EXPECT_EQ(text.substr(at, length + 16), tfrecord(events.back()));
    at += length + 16;
  }
  ASSERT_EQ(events.size(), 2u);
  EXPECT_NE(events[0].find("brain.Event:2"), std::string::npos);
  // step 300 = varint ac 02 under key 0x10; then summary > value > tag, simple_value 2.5f
  const std::string expected =
      std::string("\x10\xac\x02\x2a\x13\x0a\x11\x0a\x0atrain/loss\x15", 20) +
      std::string("\x00\x00\x20\x40", 4);
  EXPECT_EQ(events[1].substr(9), expected);
}

TEST(Tensorboard, AResumedRunSupersedesLaterSteps) {
  test::TemporaryFolder folder;
  TensorboardWriter(folder.path(), 300);
  for (const auto& entry : fs::directory_iterator(folder.path()))  // session_log {status: START}
    EXPECT_NE(read_text(entry.path()).find(std::string("\x10\xac\x02\x3a\x02\x08\x01", 7)),
              std::string::npos);
}

TEST(Metrics, AResumeDropsRowsBehindTheCheckpoint) {
  test::TemporaryFolder folder;
  {
    Metrics metrics(folder.path(), 0);
    for (int step : {10, 20, 30}) metrics.write("train", step, {{"loss", 1.0 / step}});
  }
  AppendFile(folder / "metrics.jsonl").append("{\"stage\":\"tra");  // killed while writing
  {
    Metrics metrics(folder.path(), 21);
    metrics.write("train", 30, {{"loss", 7}});
  }
  const auto rows = read_lines(folder / "metrics.jsonl");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(Json::parse(rows[1])["step"], 20);
  EXPECT_EQ(Json::parse(rows[2])["loss"], 7);
  EXPECT_EQ(read_lines(folder / "metrics.csv"),
            (std::vector<std::string>{"stage,step,tag,value", "train,10,loss,0.1",
                                      "train,20,loss,0.05", "train,30,loss,7"}));
}

}  // namespace
}  // namespace laclip

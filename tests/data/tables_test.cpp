// CSV tables, captions to rewrite, and the choice of a caption.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "data/caption_choice.h"
#include "data/caption_table.h"
#include "data/csv.h"
#include "data/tar_write.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using test::error_of;
using ::testing::HasSubstr;

using Fields = std::vector<std::string>;

TEST(Csv, QuotesSeparatorsAndLines) {
  const auto rows =
      parse_csv("a,b\r\n\"x,1\",\"say \"\"hi\"\"\"\n\n\"two\nlines\",\nlast,row", ',', "t");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].fields, (Fields{"a", "b"}));
  EXPECT_EQ(rows[1].fields, (Fields{"x,1", "say \"hi\""}));
  EXPECT_EQ(rows[2].fields, (Fields{"two\nlines", ""}));
  EXPECT_EQ(rows[2].line, 4);
  EXPECT_EQ(rows[3].fields, (Fields{"last", "row"}));
  EXPECT_EQ(rows[3].line, 6);
}

TEST(Csv, AnOpenQuoteIsNamed) {
  EXPECT_THAT(error_of([] { parse_csv("a,b\nc,\"open\nmore\n", ',', "t.csv"); }),
              HasSubstr("t.csv:2"));
}

TEST(Csv, NoBytesCrashIt) {
  Random random(1, RandomUse::test);
  constexpr char kAlphabet[] = "a,\"\n\r\t\0\xff";
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (uint32_t i = 0, n = random.below(40); i < n; ++i)
      text += kAlphabet[random.below(sizeof kAlphabet)];
    try {
      for (const CsvRow& row : parse_csv(text, ',', "t")) EXPECT_FALSE(row.fields.empty());
    } catch (const Error&) {
    }
  }
}

TEST(CaptionTable, EveryForm) {
  test::TemporaryFolder folder;
  write_atomically(folder / "c.txt", "one\n\nthree");
  EXPECT_EQ(read_captions((folder / "c.txt").string()).captions.size(), 3u);  // lines stay aligned

  write_atomically(folder / "c.csv", "a.jpg,\"one, two\"\nb.jpg,three\n");
  const CaptionTable csv = read_captions((folder / "c.csv").string());
  EXPECT_EQ(csv.captions[0], "one, two");
  EXPECT_EQ(csv.keys[1], "b.jpg");

  write_atomically(folder / "c.tsv", "text\turl\nA \"dog\tu1\nB\tu2\n");
  const auto column = [&](const char* name) {
    return read_captions((folder / "c.tsv").string(), {.column = name});
  };
  ASSERT_EQ(column("text").captions.size(), 2u);
  EXPECT_EQ(column("text").captions[0], "A \"dog");  // quotes have no meaning here
  EXPECT_EQ(column("2").captions[2], "u2");
  EXPECT_THROW(column("caption"), Error);
  EXPECT_THROW(column("3"), Error);
  EXPECT_THROW(read_captions((folder / "c.csv").string(), {.column = "2"}), UsageError);
  // a table without the column of images
  EXPECT_THAT(error_of([&] { read_captions((folder / "c.tsv").string()); }),
              HasSubstr("--caption-column"));

  write_atomically(folder / "c.tar", TarWriter().add("k.jpg", "x").add("k.txt", "cap").finish());
  const CaptionTable tar = read_captions((folder / "c.tar").string());
  EXPECT_EQ(tar.keys[0], "k");
  EXPECT_EQ(tar.captions[0], "cap");
  write_atomically(folder / "empty.txt", "");
  EXPECT_THROW(read_captions((folder / "empty.txt").string()), Error);
}

// What is rewritten is what is trained on, so that line i and key i are those of sample i.
TEST(CaptionTable, IsReadByTheRulesOfTraining) {
  test::TemporaryFolder folder;
  write_atomically(folder / "l.csv", "a.jpg,one\nreadme.txt,no image\nb.jpg,\"two, three\"\n");
  write_atomically(folder / "o.tsv", "title\tfilepath\nA dog\ta.jpg\n\"A \"\"cat\"\"\"\tb.jpg\n");
  write_atomically(folder / "o.csv", "path,text\na.jpg,one\n");
  make_folders(folder / "old.tar.d");
  write_atomically(folder / "old.tar.d/c.txt", "one\ntwo\n");
  write_atomically(folder / "s.tar", TarWriter().add("k.jpg", "x").add("k.txt", " cap\n").finish());
  SourceOptions comma;
  comma.csv_separator = ",", comma.csv_image_key = "path", comma.csv_caption_key = "text";
  for (const auto& [name, options] : {std::pair{"l.csv", SourceOptions{}},
                                      {"o.tsv", SourceOptions{}},
                                      {"o.csv", comma},
                                      {"{s.tar,s.tar}", SourceOptions{}}}) {
    const std::string path = (folder / name).string();
    const CaptionTable table = read_captions(path, {.source = options});
    const auto source = open_samples(path, options);
    ASSERT_EQ(table.captions.size(), source->size()) << name;
    for (size_t i = 0; i < source->size(); ++i) {
      EXPECT_EQ(table.captions[i], source->caption(i)) << name;
      EXPECT_EQ(table.keys[i], source->key(i)) << name;
    }
  }
  // A folder's name is no ending.
  EXPECT_EQ(read_captions((folder / "old.tar.d/c.txt").string()).captions.size(), 2u);
}

TEST(CaptionTable, PartsAreContiguousAndWhole) {
  for (size_t count : {1u, 7u, 100u}) {
    for (size_t parts : {1u, 3u, 8u}) {
      size_t next = 0;
      for (size_t part = 1; part <= parts; ++part) {
        const ShardRange range =
            shard_range(count, std::to_string(part) + "/" + std::to_string(parts));
        EXPECT_EQ(range.begin, next);
        next = range.end;
      }
      EXPECT_EQ(next, count);
    }
  }
  for (const char* wrong : {"0/2", "3/2", "1", "a/b", "1/2x", ""})
    EXPECT_THROW(shard_range(10, wrong), UsageError) << wrong;
}

class CaptionChoices : public testing::Test {
 protected:
  void SetUp() override {
    std::string csv, rewrites, short_ones;
    for (int i = 0; i < kSamples; ++i) {
      csv += fmt::format("{}.jpg,original caption {}\n", i, i);
      rewrites += fmt::format("rewritten caption {}\n", i);
      short_ones += i % 2 ? "word\n" : "\n";
    }
    write_atomically(folder_ / "t.csv", csv);
    write_atomically(folder_ / "r.txt", rewrites);
    write_atomically(folder_ / "s.txt", short_ones);
    source_ = open_samples((folder_ / "t.csv").string(), {});
    source_->attach_rewrites_by_line(folder_ / "r.txt");
    source_->attach_rewrites_by_line(folder_ / "s.txt");
  }
  // The share of samples that keep their original.
  double originals(const CaptionChoice& choice, int64_t epoch = 0) const {
    int count = 0;
    for (size_t i = 0; i < kSamples; ++i)
      count += choice.choose(*source_, i, 3, epoch) == source_->caption(i);
    return double(count) / kSamples;
  }
  static constexpr int kSamples = 6000;
  test::TemporaryFolder folder_;
  std::unique_ptr<SampleSource> source_;
};

TEST_F(CaptionChoices, FollowTheirWeights) {
  // Even samples choose of two (the second source is empty there), odd ones of three, where the
  // single word falls back to the original.
  EXPECT_NEAR(originals({}), (1.0 / 2 + 2.0 / 3) / 2, 0.03);
  EXPECT_NEAR(originals({.p_original = 1}), 1, 1e-9);
  EXPECT_NEAR(originals({.p_original = 0, .weights = {0, 1, 0}}), 0, 1e-9);
  EXPECT_NEAR(originals({.weights = {1, 3, 0}}), 0.25, 0.03);
}

TEST_F(CaptionChoices, AreAFunctionOfSeedEpochAndSample) {
  const CaptionChoice choice;
  int same = 0;
  for (size_t i = 0; i < kSamples; ++i) {
    EXPECT_EQ(choice.choose(*source_, i, 3, 1), choice.choose(*source_, i, 3, 1));
    same += choice.choose(*source_, i, 3, 1) == choice.choose(*source_, i, 3, 2);
  }
  EXPECT_LT(same, kSamples * 3 / 4);
}

TEST_F(CaptionChoices, WeightsMustFitTheSources) {
  EXPECT_THROW((CaptionChoice{.weights = {1, 1}}).check_sources(*source_), UsageError);
  EXPECT_THROW((CaptionChoice{.weights = {1, -1, 1}}).check_sources(*source_), UsageError);
  EXPECT_THROW((CaptionChoice{.weights = {0, 0, 0}}).check_sources(*source_), UsageError);
  EXPECT_NO_THROW((CaptionChoice{.weights = {1, 1, 0}}).check_sources(*source_));
  while (source_->rewrite_sources() < 63) source_->attach_rewrites_by_line(folder_ / "r.txt");
  EXPECT_NO_THROW(CaptionChoice{}.check_sources(*source_));
  source_->attach_rewrites_by_line(folder_ / "r.txt");
  EXPECT_THROW(CaptionChoice{}.check_sources(*source_), UsageError);
}

}  // namespace
}  // namespace laclip

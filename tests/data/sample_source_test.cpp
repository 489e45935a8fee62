// Samples from shards and tables, and the rewrites that belong to them.
#include "data/sample_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/tar_write.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using test::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SampleSource, ShardsGiveWholeSamplesAndCountTheRest) {
  test::TemporaryFolder folder;
  write_atomically(folder / "0.tar", TarWriter()
                                         .add("000.jpg", "image 0")
                                         .add("000.txt", " caption 0\n")
                                         .add("001.txt", "no image")
                                         .add("002.PNG", "image 2")
                                         .add("002.txt", "caption 2")
                                         .add("003.jpg", "no caption")
                                         .add("004.jpg", "image 4")
                                         .add("004.txt", " \n")
                                         .add("__meta__", "x")
                                         .finish());
  write_atomically(folder / "1.tar",
                   TarWriter().add("x/000.jpg", "image x").add("x/000.txt", "caption x").finish());
  const auto source = open_samples((folder / "{0..1}.tar").string(), {});
  ASSERT_EQ(source->size(), 3u);
  EXPECT_EQ(source->key(0), "000");
  EXPECT_EQ(source->caption(0), "caption 0");
  EXPECT_EQ(source->key(2), "x/000");
  const ImageBytes image = source->image(1);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(image.view.data()), image.view.size()),
            "image 2");
  const Json left_out = source->summary()["left_out"];
  EXPECT_EQ(left_out["without an image"], 1);
  EXPECT_EQ(left_out["without a caption"], 2);
}

TEST(SampleSource, StrictTakesNothingLess) {
  test::TemporaryFolder folder;
  const std::string whole = TarWriter().add("a.jpg", "image").add("a.txt", "text").finish();
  write_atomically(folder / "whole.tar", whole);
  write_atomically(folder / "cut.tar", whole.substr(0, whole.size() - 1024));
  write_atomically(
      folder / "image.tar",
      TarWriter().add("a.jpg", "image").add("a.txt", "text").add("b.txt", "text").finish());
  write_atomically(
      folder / "text.tar",
      TarWriter().add("a.jpg", "image").add("a.txt", "text").add("b.jpg", "image").finish());
  write_atomically(folder / "t.csv", "a.jpg,text\nb.doc,text\n");
  EXPECT_EQ(open_samples((folder / "whole.tar").string(), {.strict = true})->size(), 1u);
  for (const auto& [list, part] :
       {std::pair{"{whole,missing}.tar", "missing.tar: this shard is missing"},
        {"cut.tar", "cut.tar: the archive ends"},
        {"image.tar", "image.tar/b: a sample without an image"},
        {"text.tar", "text.tar/b: a sample without a caption"},
        {"t.csv", "t.csv:2: 'b.doc'"}}) {
    EXPECT_EQ(open_samples((folder / list).string(), {})->summary()["left_out"].size(), 1u) << list;
    EXPECT_THAT(error_of([&] { open_samples((folder / list).string(), {.strict = true}); }),
                HasSubstr(part));
  }
  EXPECT_THROW(open_samples((folder / "missing.tar").string(), {}), Error);
}

TEST(SampleSource, RewritesByKeyAndByLine) {
  test::TemporaryFolder folder;
  TarWriter tar;
  for (const char* key : {"a", "b", "c"})
    tar.add(std::string(key) + ".jpg", "image")
        .add(std::string(key) + ".txt", std::string("caption ") + key);
  write_atomically(folder / "0.tar", tar.finish());
  const auto source = open_samples((folder / "0.tar").string(), {});
  write_atomically(folder / "keys.jsonl",
                   "{\"key\":\"c\",\"text\":\"new c\"}\n{\"key\":\"zz\",\"text\":\"none\"}\n"
                   "{\"key\":\"a\",\"text\":\"new a\"}\n");
  source->attach_rewrites_by_key(folder / "keys.jsonl");
  EXPECT_EQ(source->rewrite(0, 0), "new a");
  EXPECT_EQ(source->rewrite(0, 1), "");
  EXPECT_EQ(source->rewrite(0, 2), "new c");
  write_atomically(folder / "lines.txt", "1\n2\n3\n");
  source->attach_rewrites_by_line(folder / "lines.txt");
  EXPECT_EQ(source->rewrite(1, 1), "2");
  write_atomically(folder / "short.txt", "1\n2\n");
  EXPECT_THROW(source->attach_rewrites_by_line(folder / "short.txt"), Error);
  write_atomically(folder / "other.jsonl", "{\"key\":\"zz\",\"text\":\"none\"}\n");
  EXPECT_THROW(source->attach_rewrites_by_key(folder / "other.jsonl"), Error);
}

TEST(SampleSource, LinesRepeatOnlyIfTheCaptionsDo) {
  test::TemporaryFolder folder;
  const auto rows = [](const std::vector<std::string>& captions) {
    std::string text;
    for (const std::string& caption : captions) text += "a.jpg," + caption + "\n";
    return text;
  };
  write_atomically(folder / "two.txt", "1\n2\n");
  write_atomically(folder / "crops.csv", rows({"a dog", "a cat", "a dog", "a cat"}));
  const auto crops = open_samples((folder / "crops.csv").string(), {});
  crops->attach_rewrites_by_line(folder / "two.txt");
  EXPECT_EQ(crops->rewrite(0, 3), "2");
  // Half of the lines, as a single --shard leaves them.
  write_atomically(folder / "other.csv", rows({"a dog", "a cat", "a dog", "a cow"}));
  const auto other = open_samples((folder / "other.csv").string(), {});
  EXPECT_THROW(other->attach_rewrites_by_line(folder / "two.txt"), Error);
}

// Five captions of an image in a table, keys that begin anew in each shard.
TEST(SampleSource, RepeatedKeysJoinInOrderOrNotAtAll) {
  test::TemporaryFolder folder;
  write_atomically(folder / "t.csv", "a.jpg,one\nb.jpg,two\na.jpg,three\n");
  const auto source = open_samples((folder / "t.csv").string(), {});
  const auto attach = [&](const std::vector<std::string>& keys) -> std::string {
    std::string rows;
    for (size_t i = 0; i < keys.size(); ++i)
      rows += Json{{"key", keys[i]}, {"text", fmt::format("new {}", i)}}.dump() + "\n";
    write_atomically(folder / "r.jsonl", rows);
    return error_of([&] { source->attach_rewrites_by_key(folder / "r.jsonl"); });
  };
  ASSERT_EQ(attach({"a.jpg", "a.jpg", "b.jpg"}), "");
  EXPECT_EQ(source->rewrite(0, 0), "new 0");
  EXPECT_EQ(source->rewrite(0, 1), "new 2");
  EXPECT_EQ(source->rewrite(0, 2), "new 1");
  EXPECT_EQ(attach({"b.jpg"}), "");  // the others have none
  EXPECT_NE(attach({"a.jpg", "b.jpg"}).find("'a.jpg' has 1 rewrites for 2 samples"),
            std::string::npos);
  EXPECT_NE(attach({"b.jpg", "b.jpg"}).find("r.jsonl:2: the key 'b.jpg'"), std::string::npos);
}

TEST(SampleSource, Tables) {
  test::TemporaryFolder folder;
  write_atomically(folder / "t.tsv", "title\tfilepath\nA dog\ta.jpg\n\"A \"\"cat\"\"\"\tb.jpg\n");
  const auto table = open_samples((folder / "t.tsv").string(), {});
  ASSERT_EQ(table->size(), 2u);
  EXPECT_EQ(table->key(0), "a.jpg");
  EXPECT_EQ(table->caption(1), "A \"cat\"");
  SourceOptions wrong;
  wrong.csv_caption_key = "caption";
  EXPECT_THAT(error_of([&] { open_samples((folder / "t.tsv").string(), wrong); }),
              AllOf(HasSubstr("no column 'caption'"), HasSubstr("title, filepath")));
  write_atomically(folder / "l.csv", "x/a.jpg,\"one, two\"\nx/readme.txt,no\nx/b.png,three\n");
  const auto laclip = open_samples((folder / "l.csv").string(), {.root = "/data"});
  ASSERT_EQ(laclip->size(), 2u);
  EXPECT_EQ(laclip->caption(0), "one, two");
  EXPECT_EQ(laclip->place(1), "/data/x/b.png");
  EXPECT_EQ(laclip->summary()["left_out"]["rows that are no image"], 1);
  write_atomically(folder / "empty.csv", "");
  EXPECT_THROW(open_samples((folder / "empty.csv").string(), {}), Error);
}

TEST(SampleSource, RealShard) {
  LACLIP_REFERENCE_DATA("flickr8k-1000");
  const auto source =
      open_samples(test::reference_data("flickr8k-1000/flickr8k-000000.tar").string(), {});
  EXPECT_EQ(source->size(), 100u);
  EXPECT_EQ(source->summary()["left_out"].size(), 0u);
}

}  // namespace
}  // namespace laclip

// Tar archives, lists of shards, and the samples in them.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "data/sample_source.h"
#include "data/shard_list.h"
#include "data/tar_index.h"
#include "data/tar_write.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::vector<std::string> names_in(const fs::path& file) {
  const auto bytes = read_bytes(file);
  std::vector<std::string> names;
  for (const TarMember& member : index_tar(bytes).members) names.push_back(member.name);
  return names;
}

TEST(TarIndex, FindsContentAndSkipsWhatIsNoFile) {
  const std::string archive = TarWriter()
                                  .add("a.txt", "hello")
                                  .add("folder/", "", '5')
                                  .add("link", "", '2')
                                  .add("folder/b.bin", std::string(1000, 'x'))
                                  .finish();
  const TarIndex index = index_tar(bytes_of(archive));
  ASSERT_EQ(index.members.size(), 2u);
  EXPECT_EQ(index.fault, "");
  EXPECT_EQ(archive.substr(index.members[0].offset, index.members[0].size), "hello");
  EXPECT_EQ(index.members[1].name, "folder/b.bin");
  EXPECT_EQ(archive.substr(index.members[1].offset, index.members[1].size), std::string(1000, 'x'));
}

TEST(TarIndex, LongNamesAndPaxPaths) {
  const std::string name(300, 'n');
  const std::string record = "path=" + name + "\n", length = std::to_string(record.size() + 4);
  const std::string archive = TarWriter()
                                  .add("././@LongLink", name + '\0', 'L')
                                  .add("short", "1")
                                  .add("pax", length + " " + record, 'x')
                                  .add("short", "22")
                                  .add("short", "333")
                                  .finish();
  const TarIndex index = index_tar(bytes_of(archive));
  ASSERT_EQ(index.members.size(), 3u);
  EXPECT_EQ(index.members[0].name, name);
  EXPECT_EQ(index.members[1].name, name);
  EXPECT_EQ(index.members[2].name, "short");
}

TEST(TarIndex, EveryCutGivesWhatLiesBeforeIt) {
  const std::string whole =
      TarWriter().add("a", std::string(600, 'a')).add("b", "b").add("c", "c").finish();
  const size_t members = index_tar(bytes_of(whole)).members.size();
  for (size_t length = 0; length < whole.size(); length += 64) {
    const std::string cut = whole.substr(0, length);
    const TarIndex index = index_tar(bytes_of(cut));
    EXPECT_LE(index.members.size(), members);
    for (const TarMember& m : index.members) EXPECT_LE(m.offset + m.size, length);
    EXPECT_EQ(index.fault.empty(), length + 512 >= whole.size())
        << length;  // one block marks the end
  }
}

// Dialects in the wild. The names are what GNU tar lists.
TEST(TarIndex, Dialects) {
  LACLIP_REFERENCE_DATA("tar-corpus");
  const fs::path root = test::reference_data("tar-corpus");
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_in(root / "go_tar/gnu.tar"), (Names{"small.txt", "small2.txt"}));
  EXPECT_EQ(names_in(root / "go_tar/ustar.tar").size(), 1u);
  EXPECT_EQ(
      names_in(root / "go_tar/ustar.tar")[0],
      "longname/longname/longname/longname/longname/longname/longname/longname/longname/longname/"
      "longname/longname/longname/longname/longname/file.txt");
  EXPECT_EQ(names_in(root / "go_tar/star.tar"), (Names{"small.txt", "small2.txt"}));
  EXPECT_EQ(names_in(root / "go_tar/pax-records.tar"), (Names{"file"}));
  EXPECT_EQ(names_in(root / "go_tar/gnu-utf8.tar").size(), 1u);
  EXPECT_EQ(names_in(root / "tar_rs/simple.tar").size(), 3u);
  EXPECT_EQ(names_in(root / "tar_rs/pax2.tar").size(), 2u);
  EXPECT_GT(names_in(root / "webdataset/mpdata.tar").size(), 3u);
}

TEST(TarIndex, NothingInTheCorporaCrashes) {
  LACLIP_REFERENCE_DATA("fuzz-corpora");
  int count = 0;
  for (const char* folder : {"fuzz-corpora/gofuzz_tar", "tar-corpus"}) {
    for (const auto& entry : fs::recursive_directory_iterator(test::reference_data(folder))) {
      if (!entry.is_regular_file()) continue;
      const auto bytes = read_bytes(entry.path());
      for (const TarMember& member : index_tar(bytes).members)
        ASSERT_LE(member.offset + member.size, bytes.size()) << entry.path();
      ++count;
    }
  }
  EXPECT_GT(count, 150);
}

TEST(ShardList, BracesListsAndWildcards) {
  const auto names = [](const std::string& list) {
    std::vector<std::string> result;
    for (const fs::path& path : expand_shards(list)) result.push_back(path.string());
    return result;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("a.tar"), (Names{"a.tar"}));
  EXPECT_EQ(names("d/{008..010}.tar"), (Names{"d/008.tar", "d/009.tar", "d/010.tar"}));
  EXPECT_EQ(names("{8..10}"), (Names{"8", "9", "10"}));
  EXPECT_EQ(names("{a,b}/{0..1}.tar::c.tar"),
            (Names{"a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar", "c.tar"}));
  EXPECT_THROW(expand_shards("{0..x}.tar"), Error);
  EXPECT_THROW(expand_shards("{5..1}.tar"), Error);
  EXPECT_THROW(expand_shards("{0..1.tar"), Error);

  test::TemporaryFolder folder;
  for (const char* name : {"b.tar", "a.tar", "c.txt"}) write_atomically(folder / name, "x");
  EXPECT_EQ(names((folder / "*.tar").string()),
            (Names{(folder / "a.tar").string(), (folder / "b.tar").string()}));
  EXPECT_EQ(find_shards((folder / "{a,missing}.tar").string()).size(), 1u);
  EXPECT_THROW(find_shards((folder / "missing.tar").string()), Error);
}

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

TEST(SampleSource, Tables) {
  test::TemporaryFolder folder;
  write_atomically(folder / "t.tsv", "title\tfilepath\nA dog\ta.jpg\n\"A \"\"cat\"\"\"\tb.jpg\n");
  const auto table = open_samples((folder / "t.tsv").string(), {});
  ASSERT_EQ(table->size(), 2u);
  EXPECT_EQ(table->key(0), "a.jpg");
  EXPECT_EQ(table->caption(1), "A \"cat\"");
  SourceOptions wrong;
  wrong.csv_caption_key = "caption";
  try {
    open_samples((folder / "t.tsv").string(), wrong);
    FAIL() << "no error for a column that is not there";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no column 'caption'"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("title, filepath"), std::string::npos) << error.what();
  }
  write_atomically(folder / "l.csv", "x/a.jpg,\"one, two\"\nx/readme.txt,no\nx/b.png,three\n");
  const auto laclip = open_samples((folder / "l.csv").string(), {.root = "/root"});
  ASSERT_EQ(laclip->size(), 2u);
  EXPECT_EQ(laclip->caption(0), "one, two");
  EXPECT_EQ(laclip->place(1), "/root/x/b.png");
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

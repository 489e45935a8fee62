// Tar archives and lists of shards.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
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
}

TEST(ShardList, IsToldByItsEndings) {
  for (const char* list : {"a.tar", "d/{000..010}.tar", "{a.tar,b.TAR}", "a.tar::b/*.tar"})
    EXPECT_TRUE(lists_shards(list)) << list;
  for (const char* list : {"a.tar.gz", "old.tar/c.csv", "c.csv", "{a.tar,b.csv}", "odd{.txt", ""})
    EXPECT_FALSE(lists_shards(list)) << list;
}

}  // namespace
}  // namespace laclip

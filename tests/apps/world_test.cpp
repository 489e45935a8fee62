// laclip world: the folder, its determinism, EDA, the judge.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <map>

#include "base/json.h"
#include "data/evaluation_sets.h"
#include "data/prompts.h"
#include "data/sample_source.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using Arguments = std::vector<std::string>;

std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[fs::relative(entry.path(), folder).string()] = read_text(entry.path());
  return files;
}

class WorldCommand : public testing::Test {
 protected:
  test::Outcome make(const std::string& name, const Arguments& more = {}) const {
    Arguments list{"world",       "--output",     (folder_ / name).string(),
                   "--images",    "130",          "--test-images",
                   "203",         "--shard-size", "50",
                   "--documents", "30",           "--heldout",
                   "8",           "--seed",       "5"};
    list.insert(list.end(), more.begin(), more.end());
    return test::run(list);
  }
  test::TemporaryFolder folder_;
};

TEST_F(WorldCommand, WritesWhatTheOtherCommandsRead) {
  const auto outcome = make("w");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const fs::path world = folder_ / "w";
  const auto samples = open_samples((world / "train/{00000..00002}.tar").string(), {});
  const auto captions = read_lines(world / "captions.txt");
  ASSERT_EQ(samples->size(), 130u);
  ASSERT_EQ(captions.size(), 130u);
  for (size_t i = 0; i < 130; ++i) {
    EXPECT_EQ(samples->caption(i), captions[i]);
    EXPECT_TRUE(samples->key(i).ends_with(fmt::format("{:09}", i)));
  }
  FaultReport strict(true);
  size_t images = 0;
  for (const char* task : {"kind", "colour_kind", "relation", "count"}) {
    const fs::path folder = world / "zeroshot" / task;
    const ImageFolder set = read_image_folder(folder / "images");
    const ClassNames names = read_class_names(folder / "classnames.json");
    for (int32_t c : match_classes(set, names, folder / "classnames.json")) EXPECT_GE(c, 0);
    EXPECT_FALSE(read_templates(folder / "templates.json").empty());
    load_images(set.images, 0, 4, 32, Interpolation::bicubic, 1, strict);
    images += set.images.size();
  }
  const RetrievalPairs pairs = read_retrieval_pairs(world / "retrieval.jsonl");
  load_images(pairs.images, 0, pairs.images.size(), 32, Interpolation::bicubic, 2, strict);
  EXPECT_EQ(images + pairs.images.size(), 203u);
  for (const char* mode : {"chatgpt", "bard", "coco", "human"})
    ExampleBank::from_file(world / "pairs" / (std::string(mode) + ".json"),
                           parse_rewrite_mode(mode));
  const auto documents = read_lines(world / "documents.jsonl");
  ASSERT_EQ(documents.size(), 30u);
  EXPECT_TRUE(parse_json(documents[29], "").contains("text"));
  EXPECT_EQ(read_lines(world / "heldout.jsonl").size(), 8u);
  EXPECT_EQ(read_lines(world / "heldout.txt").size(), 8u);
  EXPECT_EQ(make("w").code, 0) << "the same world again: nothing to do";
  EXPECT_NE(make("w", {"--seed", "6"}).code, 0) << "another one does not replace it";
}

TEST_F(WorldCommand, ThreadsDoNotChangeAByteAndSeedsDo) {
  ASSERT_EQ(make("one", {"--workers", "1"}).code, 0);
  ASSERT_EQ(make("three", {"--workers", "3"}).code, 0);
  ASSERT_EQ(make("other", {"--seed", "6"}).code, 0);
  EXPECT_TRUE(contents(folder_ / "one") == contents(folder_ / "three"));
  EXPECT_NE(read_text(folder_ / "one/captions.txt"), read_text(folder_ / "other/captions.txt"));
}

TEST_F(WorldCommand, AKillLeavesNoFolder) {
  const fs::path world = folder_ / "w";
  const fs::path partial = folder_ / "w.laclip-partial";
  test::Program program({"world", "--output", world.string(), "--images", "100000"});
  program.stop(SIGKILL, [&] { return fs::exists(partial / "train/00000.tar"); });
  EXPECT_FALSE(fs::exists(world));
  ASSERT_EQ(make("w").code, 0);
  EXPECT_FALSE(fs::exists(partial));
  fs::create_directories(folder_ / "mine");
  write_atomically(folder_ / "mine/notes.txt", "mine");
  EXPECT_EQ(make("mine").code, 1);
  EXPECT_EQ(contents(folder_ / "mine").size(), 1u);
}

TEST_F(WorldCommand, AStopLeavesNothing) {
  const fs::path partial = folder_ / "w.laclip-partial";
  test::Program program({"world", "--output", (folder_ / "w").string(), "--images", "100000"});
  const auto outcome =
      program.stop(SIGTERM, [&] { return fs::exists(partial / "train/00000.tar"); });
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("nothing was kept"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(WorldCommand, JudgesRewritesOfTrainingAndHeldOutCaptions) {
  ASSERT_EQ(make("w").code, 0);
  const auto heldout = read_lines(folder_ / "w/heldout.jsonl");
  std::string good, bad;
  for (size_t i = 0; i < heldout.size(); ++i) {
    const Json row = parse_json(heldout[i], "heldout");
    const auto line = [&](const Json& text) {
      return Json{{"index", i},
                  {"mode", row["style"]},
                  {"original", row["caption"]},
                  {"text", text}}
                 .dump() +
             "\n";
    };
    good += line(row["target"]);
    bad += line(row["caption"]);
  }
  write_atomically(folder_ / "good.jsonl", good);
  write_atomically(folder_ / "bad.jsonl", bad);
  const auto judged = [&](const std::string& name) {
    const auto outcome = test::run(
        {"world", "--judge", (folder_ / name).string(), "--world", (folder_ / "w").string()});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return parse_json(outcome.out, name);
  };
  const Json all_good = judged("good.jsonl"), copies = judged("bad.jsonl");
  for (const char* mode : {"chatgpt", "bard", "coco", "human"}) {
    EXPECT_EQ(all_good[mode]["rewrites"], 2);
    EXPECT_EQ(all_good[mode]["faithful"], 1.0);
    EXPECT_EQ(all_good[mode]["style"], 1.0);
    EXPECT_EQ(all_good[mode]["copy"], 0.0);
    EXPECT_EQ(copies[mode]["copy"], 1.0);
  }
  const auto first = read_lines(folder_ / "w/captions.txt")[3];
  const Json row{{"index", 3}, {"mode", "coco"}, {"original", first}, {"text", "A x."}};
  write_atomically(folder_ / "train.jsonl", row.dump() + "\n");
  EXPECT_EQ(judged("train.jsonl")["coco"]["faithful"], 0.0);
  write_atomically(folder_ / "alien.jsonl",
                   R"({"index": 3, "mode": "coco", "original": "alien", "text": "A x."})");
  const auto alien = test::run({"world", "--judge", (folder_ / "alien.jsonl").string(), "--world",
                                (folder_ / "w").string()});
  EXPECT_EQ(alien.code, 1);
  EXPECT_NE(alien.err.find("is not caption 3"), std::string::npos) << alien.err;
}

TEST_F(WorldCommand, EdaIsAlignedAndRepeatable) {
  ASSERT_EQ(make("w").code, 0);
  const Arguments eda{"world", "--eda", "2", "--output", (folder_ / "w").string()};
  ASSERT_EQ(test::run(eda).code, 0);
  const auto one = read_lines(folder_ / "w/eda_1.txt");
  const auto captions = read_lines(folder_ / "w/captions.txt");
  ASSERT_EQ(one.size(), captions.size());
  EXPECT_NE(one, captions);
  EXPECT_NE(one, read_lines(folder_ / "w/eda_2.txt"));
  ASSERT_EQ(test::run(eda).code, 0);
  EXPECT_EQ(one, read_lines(folder_ / "w/eda_1.txt"));
  EXPECT_EQ(test::run({"world", "--eda", "2", "--output", (folder_ / "none").string()}).code, 2);
}

TEST_F(WorldCommand, ShowsAPicture) {
  ASSERT_EQ(test::run({"world", "--show", (folder_ / "sheet.png").string()}).code, 0);
  EXPECT_GT(fs::file_size(folder_ / "sheet.png"), 10000u);
}

}  // namespace
}  // namespace laclip

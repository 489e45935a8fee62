// What training and evaluation read: models, validation sets, checkpoints that are damaged.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "data/image_write.h"
#include "data/tar_write.h"
#include "engine/safetensors.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using test::Outcome;
using Arguments = std::vector<std::string>;

constexpr const char* kWeights = "open_clip_model.safetensors";

class TrainingInput : public testing::Test {
 protected:
  void SetUp() override {
    TarWriter tar;
    std::string captions;
    for (int i = 0; i < 12; ++i) {
      const Image image{16, 16, std::vector<uint8_t>(16 * 16 * 3, uint8_t(20 * i))};
      const auto jpeg = encode_jpeg(image, 90);
      const std::string bytes(reinterpret_cast<const char*>(jpeg.data()), jpeg.size());
      const std::string name = i % 2 ? "light" : "dark", caption = "a " + name + " square";
      tar.add(fmt::format("{:03}.jpg", i), bytes).add(fmt::format("{:03}.txt", i), caption);
      captions += caption + "\n";
      make_folders(folder_ / "images" / name);
      write_atomically(folder_ / "images" / name / fmt::format("{}.jpg", i), bytes);
    }
    write_atomically(path("data.tar"), tar.finish());
    write_atomically(path("captions.txt"), captions);
    write_atomically(path("classnames.json"), R"(["dark", "light"])");
    ASSERT_EQ(test::run({"tokenize", "--train", path("captions.txt"), "--vocab-size", "530", "-o",
                         path("vocab.txt")})
                  .code,
              0);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  fs::path run_folder(const std::string& name) const { return folder_ / "logs" / name; }
  fs::path latest(const std::string& name) const {
    return run_folder(name) / "checkpoints" / "latest";
  }
  Outcome train(const std::string& name, const Arguments& more = {}) const {
    Arguments list{"train",
                   "--train-data",
                   path("data.tar"),
                   "--tokenizer",
                   path("vocab.txt"),
                   "--model",
                   "ViT-T-8-tiny",
                   "--batch-size",
                   "4",
                   "--steps",
                   "6",
                   "--save-every-n-steps",
                   "2",
                   "--warmup",
                   "0",
                   "--logs",
                   path("logs"),
                   "--name",
                   name};
    list.insert(list.end(), more.begin(), more.end());
    return test::run(list);
  }
  Outcome evaluate(const Arguments& more = {}) const {
    Arguments list{"evaluate",     "--checkpoint",    latest("run").string(),
                   "--tokenizer",  path("vocab.txt"), "--images",
                   path("images"), "--classnames",    path("classnames.json")};
    list.insert(list.end(), more.begin(), more.end());
    return test::run(list);
  }
  // The outcome says so, in one line, and there is no run folder.
  void expect_no_run(const Arguments& more, int code, const std::string& part) const {
    const Outcome outcome = train("bad", more);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(run_folder("bad"))) << part;
  }
  // A copy of the checkpoint of `run` with one weight that is no number.
  fs::path damaged_checkpoint() const {
    const fs::path copy = folder_ / "damaged";
    fs::copy(fs::canonical(latest("run")), copy);
    const auto begin = SafetensorsFile(copy / kWeights).entries().at("text_projection").begin;
    std::string bytes = read_text(copy / kWeights);
    for (size_t i = 0; i < 4; ++i) bytes[begin + i] = char(0xff);
    write_atomically(copy / kWeights, bytes);
    return copy;
  }
  test::TemporaryFolder folder_;
};

TEST_F(TrainingInput, AModelFolderKeepsItsPreprocessing) {
  const Json config = {
      {"model_cfg",
       {{"embed_dim", 16},
        {"vision_cfg",
         {{"image_size", 16}, {"patch_size", 8}, {"width", 16}, {"layers", 1}, {"heads", 2}}},
        {"text_cfg",
         {{"context_length", 16},
          {"vocab_size", 77},
          {"width", 16},
          {"heads", 2},
          {"layers", 1}}}}},
      {"preprocess_cfg",
       {{"mean", {0.5, 0.5, 0.5}}, {"std", {0.25, 0.5, 0.5}}, {"interpolation", "bilinear"}}}};
  make_folders(folder_ / "model");
  write_atomically(folder_ / "model/open_clip_config.json", config.dump());
  const Outcome outcome = train("run", {"--model", path("model")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto written = [&](const std::string& name) {
    return read_json(latest(name) / "open_clip_config.json");
  };
  EXPECT_EQ(written("run")["preprocess_cfg"]["mean"], (Json{0.5, 0.5, 0.5}));
  EXPECT_EQ(written("run")["preprocess_cfg"]["std"], (Json{0.25, 0.5, 0.5}));
  EXPECT_EQ(written("run")["preprocess_cfg"]["interpolation"], "bilinear");
  EXPECT_GT(written("run")["model_cfg"]["text_cfg"]["vocab_size"].get<int>(), 500);
  EXPECT_EQ(evaluate().code, 0);
  ASSERT_EQ(train("cubic", {"--model", path("model"), "--image-interpolation", "bicubic"}).code, 0);
  EXPECT_EQ(written("cubic")["preprocess_cfg"]["interpolation"], "bicubic");
}

TEST_F(TrainingInput, WhatCannotWorkLeavesNoRunFolder) {
  ASSERT_EQ(train("run").code, 0);
  expect_no_run({"--pretrained", path("vocab.txt")}, 1, "vocab.txt");
  expect_no_run({"--pretrained", damaged_checkpoint().string()}, 1, "'text_projection' holds NaN");
  expect_no_run({"--val-images", path("images")}, 2, "--val-images needs --classnames");
  expect_no_run({"--val-images", path("none"), "--classnames", path("classnames.json")}, 1, "none");
  write_atomically(path("other.json"), R"({"horse": "horse"})");
  expect_no_run({"--val-images", path("images"), "--classnames", path("other.json")}, 1,
                "none of the 2 folders");
  write_atomically(path("templates.json"), R"(["no hole"])");
  expect_no_run({"--val-images", path("images"), "--classnames", path("classnames.json"),
                 "--templates", path("templates.json")},
                1, "no hole");
  expect_no_run({"--val-pairs", path("none.jsonl")}, 1, "none.jsonl");
  expect_no_run({"--logs", "/proc/nothing"}, 1, "/proc/nothing");
}

TEST_F(TrainingInput, ALinkThatLeadsNowhereFallsBackToTheNewestWholeCheckpoint) {
  ASSERT_EQ(train("whole").code, 0);
  ASSERT_EQ(train("run", {"--keep", "3"}).code, 0);
  const fs::path checkpoints = run_folder("run") / "checkpoints";
  fs::remove_all(checkpoints / "step_00000006");                  // `latest` points to it
  fs::remove(checkpoints / "step_00000004/training_state.json");  // not whole
  make_folders(checkpoints / "step_00000006.tmp");                // a write that was killed
  const Outcome outcome = train("run", {"--resume", "latest", "--keep", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("step_00000002 is the newest that is whole"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(read_text(latest("run") / kWeights), read_text(latest("whole") / kWeights));
  EXPECT_FALSE(fs::exists(checkpoints / "step_00000006.tmp"));

  fs::remove_all(checkpoints / "step_00000006");
  const Outcome none = train("run", {"--resume", "latest"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("leads to no checkpoint"), std::string::npos) << none.err;
}

TEST_F(TrainingInput, AShardThatEndsEarlyIsUsedUpToItsEnd) {
  const std::string whole = read_text(path("data.tar"));
  write_atomically(path("cut.tar"), whole.substr(0, whole.size() * 3 / 4));
  const Outcome outcome = train("run", {"--train-data", path("cut.tar")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("cut.tar"), std::string::npos) << outcome.err;
  const Outcome inspected = test::run({"inspect", path("cut.tar")});
  EXPECT_EQ(inspected.code, 1);
  EXPECT_FALSE(Json::parse(inspected.out)["sound"].get<bool>());
}

TEST_F(TrainingInput, EvaluationRefusesAWrongTokenizerNaNAndAnUnwritableOutput) {
  ASSERT_EQ(train("run").code, 0);
  ASSERT_EQ(evaluate().code, 0);
  const auto expect = [&](const Arguments& more, const std::string& part) {
    const Outcome outcome = evaluate(more);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  };
  ASSERT_EQ(test::run({"tokenize", "--train", path("captions.txt"), "--vocab-size", "518", "-o",
                       path("smaller.txt")})
                .code,
            0);
  expect({"--tokenizer", path("smaller.txt")}, "smaller.txt: a vocabulary of 518 tokens");
  expect({"--checkpoint", damaged_checkpoint().string()}, "'text_projection' holds NaN");
  expect({"--output", "/proc/nothing/result"}, "/proc/nothing/result");
}

TEST_F(TrainingInput, InspectKnowsCheckpointsAndTokenizers) {
  ASSERT_EQ(train("run").code, 0);
  const Outcome good = test::run({"inspect", latest("run").string(), path("vocab.txt")});
  EXPECT_EQ(good.code, 0) << good.err << good.out;
  const Json clip = Json::parse(good.out.substr(0, good.out.find('\n')));
  EXPECT_EQ(clip["kind"], "clip");
  EXPECT_EQ(clip["image_size"], 32);
  EXPECT_EQ(clip["step"], 6);
  EXPECT_GT(clip["parameters"].get<int64_t>(), 10000);

  write_atomically(path("tokenizer.model"), "\n\x0e\n\x05<unk");  // cut off
  make_folders(folder_ / "llama");
  write_atomically(folder_ / "llama/config.json", R"({"eos_token_id": ["x"], "hidden_size": 8})");
  write_atomically(folder_ / "llama/model.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10));
  const Outcome bad =
      test::run({"inspect", path("tokenizer.model"), path("llama"), path("vocab.txt")});
  EXPECT_EQ(bad.code, 1);
  std::vector<Json> rows;
  for (size_t at = 0, end; (end = bad.out.find('\n', at)) != std::string::npos; at = end + 1)
    rows.push_back(Json::parse(bad.out.substr(at, end - at)));
  ASSERT_EQ(rows.size(), 3u) << bad.out;
  EXPECT_EQ(rows[0]["kind"], "tokenizer");
  EXPECT_FALSE(rows[0]["sound"].get<bool>());
  EXPECT_FALSE(rows[1]["sound"].get<bool>());
  EXPECT_TRUE(rows[2]["sound"].get<bool>());
}

TEST_F(TrainingInput, AVocabularyLargerThanItsReaderTakesIsRefused) {
  const Outcome outcome = test::run({"tokenize", "--train", path("captions.txt"), "--vocab-size",
                                     "49409", "-o", path("large.txt")});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("49408"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(path("large.txt")));
}

}  // namespace
}  // namespace laclip

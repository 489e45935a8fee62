// laclip train and laclip evaluate, on a small data set made here.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/json.h"
#include "data/image_write.h"
#include "data/tar_write.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using test::Outcome;
using test::Program;
using Arguments = std::vector<std::string>;

constexpr const char* kColours[] = {"red", "green", "blue"};

std::string coloured_image(int colour, int shade) {
  Image image{24, 20, std::vector<uint8_t>(24 * 20 * 3, 30)};
  for (size_t p = 0; p < 24 * 20; ++p) image.rgb[p * 3 + size_t(colour)] = uint8_t(120 + shade * 5);
  const auto jpeg = encode_jpeg(image, 90);
  return {reinterpret_cast<const char*>(jpeg.data()), jpeg.size()};
}

class TrainCommand : public testing::Test {
 protected:
  void SetUp() override {
    TarWriter tar;
    std::string captions, rewrites, pairs;
    for (int i = 0; i < 60; ++i) {
      const std::string name = kColours[i % 3], caption = "a " + name + " square";
      const std::string image = coloured_image(i % 3, i % 20);
      tar.add(fmt::format("{:03}.jpg", i), i == 7 ? "broken" : image)
          .add(fmt::format("{:03}.txt", i), caption);
      captions += caption + "\n";
      rewrites +=
          Json{{"key", fmt::format("{:03}", i)}, {"text", "the picture is " + name}}.dump() + "\n";
      if (i >= 12) continue;
      make_folders(folder_ / "images" / name);
      write_atomically(folder_ / "images" / name / fmt::format("{}.jpg", i), image);
      pairs += Json{{"image", fmt::format("images/{}/{}.jpg", name, i)}, {"captions", {caption}}}
                   .dump() +
               "\n";
    }
    write_atomically(path("data.tar"), tar.finish());
    write_atomically(path("captions.txt"), captions);
    write_atomically(path("rewrites.jsonl"), rewrites);
    write_atomically(path("pairs.jsonl"), pairs);
    write_atomically(path("classnames.json"), R"(["red", "green", "blue"])");
    write_atomically(path("templates.json"), R"(["a {} square", "the picture is {}"])");
    ASSERT_EQ(test::run({"tokenize", "--train", path("captions.txt"), "--vocab-size", "600", "-o",
                         path("vocab.txt")})
                  .code,
              0);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Arguments arguments(const std::string& name, const Arguments& more = {}) const {
    Arguments list{"train",
                   "--train-data",
                   path("data.tar"),
                   "--rewrites",
                   path("rewrites.jsonl"),
                   "--tokenizer",
                   path("vocab.txt"),
                   "--model",
                   "ViT-T-8-tiny",
                   "--batch-size",
                   "12",
                   "--epochs",
                   "4",
                   "--lr",
                   "1e-3",
                   "--warmup",
                   "4",
                   "--log-every-n-steps",
                   "1",
                   "--save-every-n-steps",
                   "3",
                   "--seed",
                   "1",
                   "--logs",
                   path("logs"),
                   "--name",
                   name};
    list.insert(list.end(), more.begin(), more.end());
    return list;
  }
  std::string weights(const std::string& name) const {
    return read_text(folder_ / "logs" / name / "checkpoints/latest/open_clip_model.safetensors");
  }
  // The metrics without what is timed.
  std::string losses(const std::string& name) const {
    std::string all;
    for (const std::string& line : read_lines(folder_ / "logs" / name / "metrics.jsonl")) {
      const Json row = Json::parse(line);
      all += fmt::format("{} {} {}\n", row["stage"].dump(), row["step"].dump(),
                         row.value("loss", Json()).dump());
    }
    return all;
  }
  test::TemporaryFolder folder_;
};

// Losses as numbers.
std::vector<double> losses_of(const fs::path& metrics) {
  std::vector<double> list;
  for (const std::string& line : read_lines(metrics))
    if (const Json row = Json::parse(line); row["stage"] == "train")
      list.push_back(row["loss"].get<double>());
  return list;
}

// Kernels run on the host here where there is no GPU, so this is small: six steps, a resume after
// three, an evaluation; the same seed gives the same batches, crops and captions on both devices.
TEST_F(TrainCommand, TheSameOnBothDevices) {
  const auto train = [&](const char* device, const char* steps) {
    const Outcome outcome =
        test::run(arguments(device, {"--device", device, "--precision", "fp32", "--steps", steps,
                                     "--resume", "latest", "--warmup", "1"}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  };
  for (const char* device : {"cpu", "cuda"}) {
    train(device, "3");
    train(device, "6");
  }
  const auto cpu = losses_of(folder_ / "logs/cpu/metrics.jsonl"),
             cuda = losses_of(folder_ / "logs/cuda/metrics.jsonl");
  ASSERT_EQ(cpu.size(), 6u);
  ASSERT_EQ(cuda.size(), 6u);
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(cuda[i] / cpu[i], 1, 1e-4) << "step " << i + 1;
  const auto accuracy = [&](const char* device) {
    const Outcome outcome =
        test::run({"evaluate", "--device", device, "--precision", "fp32", "--checkpoint",
                   path("logs/cuda/checkpoints/latest"), "--tokenizer", path("vocab.txt"),
                   "--pairs", path("pairs.jsonl")});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out)["metrics"].dump();
  };
  EXPECT_EQ(accuracy("cuda"), accuracy("cpu"));
}

// bf16 on a GPU, fp32 on a CPU; a run goes on as it was begun, wherever.
TEST_F(TrainCommand, PrecisionGoesByTheDevice) {
  const auto train = [&](const std::string& name, const char* device, const char* steps,
                         const Arguments& more = {}) {
    Arguments list{"--device", device, "--steps", steps, "--resume", "latest", "--warmup", "1"};
    list.insert(list.end(), more.begin(), more.end());
    return test::run(arguments(name, list));
  };
  for (const auto& [begun, precision, other] :
       {std::tuple{"cpu", "fp32", "cuda"}, {"cuda", "bf16", "cpu"}}) {
    const fs::path run = folder_ / "logs" / begun;
    const std::string recorded = fmt::format("precision=\"{}\"\n", precision);
    for (const auto& [device, steps] : {std::pair{begun, "1"}, {other, "2"}}) {
      const Outcome outcome = train(begun, device, steps);
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      EXPECT_NE(read_text(run / "config.toml").find(recorded), std::string::npos) << device;
    }
    EXPECT_EQ(losses_of(run / "metrics.jsonl").size(), 2u);
    const char* wrong = begun == std::string("cpu") ? "bf16" : "fp32";
    EXPECT_NE(train(begun, begun, "3", {"--precision", wrong}).err.find("made with precision"),
              std::string::npos);
  }
}

TEST_F(TrainCommand, LearnsEvaluatesAndLeavesAWholeRunFolder) {
  const Outcome outcome = test::run(
      arguments("run", {"--epochs", "12", "--val-images", path("images"), "--classnames",
                        path("classnames.json"), "--templates", path("templates.json"),
                        "--val-pairs", path("pairs.jsonl"), "--eval-every-n-steps", "30"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const fs::path run = folder_ / "logs/run";
  for (const char* file :
       {"config.toml", "manifest.json", "metrics.jsonl", "metrics.csv", "checkpoints/latest"})
    EXPECT_TRUE(fs::exists(run / file)) << file;
  EXPECT_NE(outcome.err.find("broken samples were replaced"), std::string::npos) << outcome.err;
  const Outcome evaluated =
      test::run({"evaluate", "--checkpoint", (run / "checkpoints/latest").string(), "--tokenizer",
                 path("vocab.txt"), "--images", path("images"), "--classnames",
                 path("classnames.json"), "--templates", path("templates.json")});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const Json result = Json::parse(evaluated.out);
  ASSERT_TRUE(result["metrics"].contains("acc1")) << evaluated.out;
  EXPECT_GE(result["metrics"]["acc1"].get<double>(), 0.9) << evaluated.out;
  EXPECT_TRUE(result["metrics"]["acc5"].is_null()) << "of three classes";
  // The same set as a task folder, twice.
  make_folders(folder_ / "task");
  for (const char* name : {"images", "classnames.json", "templates.json"})
    fs::create_symlink(path(name), folder_ / "task" / name);
  const Outcome tasks = test::run(
      {"evaluate", "--checkpoint", (run / "checkpoints/latest").string(), "--tokenizer",
       path("vocab.txt"), "--tasks", path("task"), path("task"), "--pairs", path("pairs.jsonl")});
  ASSERT_EQ(tasks.code, 0) << tasks.err;
  std::vector<Json> lines;
  for (size_t begin = 0, end; (end = tasks.out.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    lines.push_back(Json::parse(tasks.out.substr(begin, end - begin)));
  ASSERT_EQ(lines.size(), 3u) << tasks.out;
  EXPECT_EQ(lines[0]["dataset"], path("task"));
  EXPECT_EQ(lines[0]["metrics"], result["metrics"]);
  EXPECT_EQ(lines[1], lines[0]);
  EXPECT_EQ(lines[2]["task"], "zeroshot_retrieval");
  // The configuration that was written starts the same run.
  Arguments again{"train", "--config", (run / "config.toml").string(), "--name", "again"};
  const Outcome second = test::run(again);
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(weights("again"), weights("run"));
}

TEST_F(TrainCommand, AKillIsContinuedBitForBit) {
  for (const char* precision : {"fp32", "bf16"}) {
    const std::string whole = std::string("whole-") + precision,
                      killed = std::string("killed-") + precision;
    ASSERT_EQ(test::run(arguments(whole, {"--precision", precision})).code, 0);
    const fs::path metrics = folder_ / "logs" / killed / "metrics.jsonl";
    int kills = 0;
    for (size_t lines : {5u, 11u}) {
      Program program(arguments(killed, {"--precision", precision, "--resume", "latest"}));
      kills += program
                   .stop(SIGKILL,
                         [&] { return fs::exists(metrics) && read_lines(metrics).size() >= lines; })
                   .code == 128 + SIGKILL;
    }
    EXPECT_GE(kills, 1);
    const Outcome last =
        test::run(arguments(killed, {"--precision", precision, "--resume", "latest"}));
    ASSERT_EQ(last.code, 0) << last.err;
    EXPECT_EQ(weights(killed), weights(whole)) << precision;
    EXPECT_EQ(losses(killed), losses(whole));
  }
}

TEST_F(TrainCommand, AnInterruptSavesAndSaysHowToGoOn) {
  ASSERT_EQ(test::run(arguments("whole")).code, 0);
  const fs::path metrics = folder_ / "logs/stopped/metrics.jsonl";
  Program program(arguments("stopped"));
  const Outcome outcome =
      program.stop(SIGTERM, [&] { return fs::exists(metrics) && read_lines(metrics).size() >= 4; });
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("--resume latest"), std::string::npos) << outcome.err;
  ASSERT_EQ(test::run(arguments("stopped", {"--resume", "latest"})).code, 0);
  EXPECT_EQ(weights("stopped"), weights("whole"));
}

TEST_F(TrainCommand, TwoMicroBatchesAreOneBatch) {
  ASSERT_EQ(test::run(arguments("one", {"--steps", "3"})).code, 0);
  ASSERT_EQ(
      test::run(arguments("two", {"--steps", "3", "--batch-size", "6", "--accum-freq", "2"})).code,
      0);
  const auto loss = [&](const std::string& name) {
    return Json::parse(read_lines(folder_ / "logs" / name / "metrics.jsonl")[2])["loss"]
        .get<double>();
  };
  EXPECT_NEAR(loss("one"), loss("two"), 1e-4 * loss("one"));
}

TEST_F(TrainCommand, ALossThatIsNotFiniteStopsTheRun) {
  const Outcome outcome = test::run(
      arguments("diverged", {"--lr", "1e30", "--warmup", "0", "--save-every-n-steps", "1"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("the loss is"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("is kept in"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::exists(folder_ / "logs/diverged/checkpoints/latest/open_clip_model.safetensors"));
}

TEST_F(TrainCommand, AFullDiskKeepsTheLastCheckpoint) {
  ASSERT_EQ(test::run(arguments("full", {"--steps", "3"})).code, 0);
  const std::string before = weights("full");
  const Outcome outcome = Program(arguments("full", {"--resume", "latest"}), "", 20000).wait();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
  EXPECT_EQ(weights("full"), before);
  ASSERT_EQ(test::run(arguments("whole")).code, 0);
  ASSERT_EQ(test::run(arguments("full", {"--resume", "latest"})).code, 0);
  EXPECT_EQ(weights("full"), weights("whole"));
}

TEST_F(TrainCommand, ADamagedNewestCheckpointIsPassedOver) {
  ASSERT_EQ(test::run(arguments("cut", {"--steps", "6"})).code, 0);
  ASSERT_EQ(test::run(arguments("whole")).code, 0);
  const fs::path newest = fs::canonical(folder_ / "logs/cut/checkpoints/latest");
  fs::resize_file(newest / "open_clip_model.safetensors", 1000);
  const Outcome outcome = test::run(arguments("cut", {"--resume", "latest"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("step_00000003"), std::string::npos) << outcome.err;
  EXPECT_EQ(weights("cut"), weights("whole"));
}

TEST_F(TrainCommand, BadInputIsOneClearLine) {
  const auto expect = [&](const Arguments& more, int code, const std::string& part) {
    const Outcome outcome = test::run(arguments("bad", more));
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(folder_ / "logs/bad/checkpoints/latest"));
    fs::remove_all(folder_ / "logs/bad");
  };
  expect({"--batch-size", "61"}, 1, "larger than the data of 60");
  expect({"--batch-size", "0"}, 2, "--batch-size");
  expect({"--precision", "fp8"}, 2, "--precision");
  expect({"--lr", "-1"}, 2, "--lr");
  expect({"--lr", "fast"}, 2, "--lr");
  expect({"--model", "ViT-Z-99"}, 1, "ViT-Z-99");
  expect({"--tokenizer", path("captions.txt")}, 1, "captions.txt");
  expect({"--train-data", path("none.tar")}, 1, "none.tar");
  expect({"--strict", "--save-every-n-steps", "100"}, 1, "data.tar/007");
  expect({"--caption-weights", "1"}, 2, "--caption-weights");
  expect({"--pretrained", path("data.tar")}, 1, "data.tar");
  expect({"--resume", path("none")}, 1, "none");
  write_atomically(path("short.txt"), "one\ntwo\n");
  write_atomically(path("seven.txt"), "1\n2\n3\n4\n5\n6\n7\n");
  expect({"--rewrites", path("short.txt")}, 1, "2 lines for 60 samples");
  expect({"--rewrites", path("seven.txt")}, 1, "7 lines for 60 samples");
  write_atomically(path("config.json"),
                   R"({"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}, "new_field": 1})");
  expect({"--model", path("config.json")}, 1, "config.json");
  write_atomically(path("table.tsv"), "image\tcaption\na.jpg\tx\n");
  Arguments table = arguments("bad");
  table[2] = path("table.tsv");
  table.erase(table.begin() + 3, table.begin() + 5);
  const Outcome outcome = test::run(table);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("no column 'filepath'"), std::string::npos) << outcome.err;
}

TEST_F(TrainCommand, ARunIsNotOverwrittenAndAnotherIsNotResumed) {
  ASSERT_EQ(test::run(arguments("run", {"--steps", "3"})).code, 0);
  const std::string before = weights("run");
  const Outcome twice = test::run(arguments("run"));
  EXPECT_EQ(twice.code, 1);
  EXPECT_NE(twice.err.find("--resume latest"), std::string::npos) << twice.err;
  const Outcome other = test::run(arguments("run", {"--resume", "latest", "--seed", "2"}));
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("seed"), std::string::npos) << other.err;
  EXPECT_EQ(weights("run"), before);
}

TEST_F(TrainCommand, StrictCoversTheShards) {
  write_atomically(path("cut.tar"), read_text(path("data.tar")).substr(0, 40000));
  for (const std::string& data : {path("{data,none}.tar"), path("cut.tar")}) {
    Arguments list = arguments("shards", {"--steps", "1", "--train-data", data});
    const Outcome loose = test::run(list);
    EXPECT_EQ(loose.code, 0) << loose.err;
    EXPECT_NE(loose.err.find("left out: "), std::string::npos) << loose.err;
    fs::remove_all(folder_ / "logs/shards");
    list.push_back("--strict");
    const Outcome strict = test::run(list);
    EXPECT_EQ(strict.code, 1) << strict.err;
    EXPECT_NE(strict.err.find("(--strict)"), std::string::npos) << strict.err;
    EXPECT_FALSE(fs::exists(folder_ / "logs/shards"));
  }
}

TEST_F(TrainCommand, BrokenImagesAreLeftOutOfAnEvaluation) {
  ASSERT_EQ(test::run(arguments("run", {"--steps", "1"})).code, 0);
  write_atomically(folder_ / "images/red/3.jpg", "broken");
  const Arguments list{
      "evaluate",     "--checkpoint",     (folder_ / "logs/run/checkpoints/latest").string(),
      "--tokenizer",  path("vocab.txt"),  "--images",
      path("images"), "--classnames",     path("classnames.json"),
      "--pairs",      path("pairs.jsonl")};
  const Outcome outcome = test::run(list);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("1 unsupported format (first: "), std::string::npos) << outcome.err;
  const size_t end = outcome.out.find('\n');
  for (const std::string& line : {outcome.out.substr(0, end), outcome.out.substr(end + 1)}) {
    const Json metrics = Json::parse(line)["metrics"];
    EXPECT_EQ(metrics["images"], 11) << line;
    EXPECT_EQ(metrics["images_left_out"], (Json{{"unsupported format", 1}})) << line;
    EXPECT_EQ(metrics.value("texts", 11), 11) << line;
  }
  Arguments strict = list;
  strict.push_back("--strict");
  const Outcome stopped = test::run(strict);
  EXPECT_EQ(stopped.code, 1);
  EXPECT_NE(stopped.err.find("red/3.jpg"), std::string::npos) << stopped.err;
}

// Finite weights that are far too large: the features are no numbers, not all of the same class.
TEST_F(TrainCommand, FeaturesThatAreNoNumbersAreAnError) {
  ASSERT_EQ(test::run(arguments("run", {"--steps", "1"})).code, 0);
  const fs::path file = folder_ / "logs/run/checkpoints/latest/open_clip_model.safetensors";
  std::string weights = read_text(file);
  uint64_t header = 0;
  std::memcpy(&header, weights.data(), sizeof header);
  const Json place = Json::parse(weights.substr(8, header))["visual.proj"]["data_offsets"];
  for (auto at = place[0].get<size_t>(); at < place[1].get<size_t>(); at += 4) {
    const float large = 3e38f;
    std::memcpy(weights.data() + 8 + header + at, &large, sizeof large);
  }
  write_atomically(file, weights);
  const Outcome outcome = test::run({"evaluate", "--checkpoint", file.parent_path().string(),
                                     "--tokenizer", path("vocab.txt"), "--images", path("images"),
                                     "--classnames", path("classnames.json")});
  EXPECT_EQ(outcome.code, 1) << outcome.out;
  EXPECT_NE(outcome.err.find("the model's feature of '"), std::string::npos) << outcome.err;
}

TEST_F(TrainCommand, ASecondWriterTouchesNothing) {
  ASSERT_EQ(test::run(arguments("run", {"--steps", "1"})).code, 0);
  const fs::path run = folder_ / "logs/run";
  const std::string configuration = read_text(run / "config.toml");
  const AppendFile first_writer(run / ".lock");
  const Outcome second = test::run(arguments("run", {"--steps", "2", "--resume", "latest"}));
  EXPECT_EQ(second.code, 1);
  EXPECT_NE(second.err.find("in use by another process"), std::string::npos) << second.err;
  EXPECT_EQ(read_text(run / "config.toml"), configuration);
}

TEST_F(TrainCommand, BadEvaluationInputIsOneClearLine) {
  ASSERT_EQ(test::run(arguments("run", {"--steps", "1"})).code, 0);
  const std::string checkpoint = (folder_ / "logs/run/checkpoints/latest").string();
  const auto expect = [&](const Arguments& more, int code, const std::string& part) {
    Arguments list{"evaluate", "--checkpoint", checkpoint, "--tokenizer", path("vocab.txt")};
    list.insert(list.end(), more.begin(), more.end());
    const Outcome outcome = test::run(list);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  };
  expect({"--images", path("none"), "--classnames", path("classnames.json")}, 1, "none");
  write_atomically(path("other.json"), R"({"horse": "horse"})");
  expect({"--images", path("images"), "--classnames", path("other.json")}, 1,
         "none of the 3 folders");
  expect({"--pairs", path("none.jsonl")}, 1, "none.jsonl");
  expect({}, 2, "--images");
  expect({"--pairs", path("pairs.jsonl"), "--classnames", path("classnames.json")}, 2,
         "belong to --images");
  expect({"--pairs", path("pairs.jsonl"), "--tasks", path("none")}, 1, "none: images/");
  std::string cut = read_text(fs::path(checkpoint) / "open_clip_model.safetensors");
  make_folders(folder_ / "cut");
  write_atomically(folder_ / "cut/open_clip_model.safetensors", cut.substr(0, cut.size() - 100));
  fs::copy(fs::path(checkpoint) / "open_clip_config.json", folder_ / "cut/open_clip_config.json");
  expect({"--checkpoint", path("cut"), "--pairs", path("pairs.jsonl")}, 1, "cut off");
}

TEST(InspectCommand, TellsWhatIsSound) {
  test::TemporaryFolder folder;
  write_atomically(folder / "a.jpg", coloured_image(0, 1));
  write_atomically(folder / "b.jpg",
                   coloured_image(0, 1).substr(0, coloured_image(0, 1).size() - 20));
  write_atomically(
      folder / "c.tar",
      TarWriter().add("1.jpg", coloured_image(1, 1)).add("1.txt", "x").add("2.txt", "y").finish());
  const Outcome sound = test::run({"inspect", (folder / "a.jpg").string(), "--preprocess", "16",
                                   "--save", (folder / "o.png").string()});
  EXPECT_EQ(sound.code, 0) << sound.err;
  EXPECT_EQ(Json::parse(sound.out)["mode"], "RGB");
  EXPECT_TRUE(fs::exists(folder / "o.png"));
  const Outcome mixed = test::run({"inspect", (folder / "a.jpg").string(),
                                   (folder / "b.jpg").string(), (folder / "c.tar").string()});
  EXPECT_EQ(mixed.code, 1);
  const size_t first = mixed.out.find('\n'), second = mixed.out.find('\n', first + 1);
  EXPECT_EQ(Json::parse(mixed.out.substr(first + 1, second - first))["fault"], "truncated image");
  const Json shard = Json::parse(mixed.out.substr(second + 1));
  EXPECT_EQ(shard["samples"], 1);
  EXPECT_EQ(shard["broken"]["without an image"], 1);
}

TEST(TokenizeCommand, IdsAndBack) {
  test::TemporaryFolder folder;
  write_atomically(folder / "c.txt", "a dog runs\na cat sits\na dog sits\n");
  const std::string vocabulary = (folder / "v.txt").string();
  ASSERT_EQ(test::run({"tokenize", "--train", (folder / "c.txt").string(), "--vocab-size", "530",
                       "-o", vocabulary})
                .code,
            0);
  const Outcome ids = test::run({"tokenize", "--tokenizer", vocabulary, "--jsonl"},
                                "\"a dog\\nsits\"\n\"\"\n\"<|endoftext|>\"\n");
  ASSERT_EQ(ids.code, 0) << ids.err;
  EXPECT_EQ(std::count(ids.out.begin(), ids.out.end(), '\n'), 3);
  const Outcome text =
      test::run({"tokenize", "--tokenizer", vocabulary, "--jsonl", "--decode"}, ids.out);
  EXPECT_NE(text.out.find("dog sits"), std::string::npos) << text.out;
  EXPECT_EQ(test::run({"tokenize", "--tokenizer", vocabulary, "--jsonl"}, "not json\n").code, 1);
  EXPECT_EQ(test::run({"tokenize"}).code, 2);
}

TEST(Program, HelpAndWrongUsage) {
  for (const char* command :
       {"rewrite", "train", "evaluate", "generate", "tokenize", "inspect", "bench"}) {
    EXPECT_EQ(test::run({command, "--help"}).code, 0) << command;
    EXPECT_EQ(test::run({command, "--no-such-flag"}).code, 2) << command;
  }
  EXPECT_EQ(test::run({}).code, 2);
  EXPECT_EQ(test::run({"paint"}).code, 2);
  EXPECT_EQ(test::run({"--version"}).code, 0);
}

}  // namespace
}  // namespace laclip

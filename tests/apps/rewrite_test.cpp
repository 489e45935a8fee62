// laclip rewrite and laclip generate, on a tiny LLaMA made here and on a real (small) one.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/json.h"
#include "tests/apps/tiny_llama.h"
#include "tests/harness/guard_device_memory.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using test::Outcome;
using test::Program;
using test::TinyLlama;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

class RewriteCommand : public testing::Test {
 protected:
  void SetUp() override {
    write_atomically(folder_ / "model.bin", TinyLlama::model());
    write_atomically(folder_ / "tokenizer.bin", TinyLlama::tokenizer());
    std::string captions;
    for (int i = 0; i < 40; ++i) captions += fmt::format("A dog number {} runs in the park .\n", i);
    captions += "an arrow => inside\n\n" + std::string(900, 'x') + "\nThe last one\n";
    write_atomically(folder_ / "captions.txt", captions);
    write_atomically(folder_ / "few.json",
                     R"({"pairs": [["a dog", "A dog."], ["a cat", "One cat."], ["a", "An A."]]})");
  }
  Arguments arguments(const std::string& output, const Arguments& more = {}) const {
    Arguments list{"rewrite",
                   "--model",
                   (folder_ / "model.bin").string(),
                   "--tokenizer",
                   (folder_ / "tokenizer.bin").string(),
                   "--max-seq-len",
                   "1200",
                   "--captions",
                   (folder_ / "captions.txt").string(),
                   "--mode",
                   "human",
                   "--example-sets",
                   "4",
                   "--seed",
                   "3",
                   "--max-new-tokens",
                   "30",
                   "--output",
                   (folder_ / output).string()};
    list.insert(list.end(), more.begin(), more.end());
    return list;
  }
  // Anew for each caption, of three pairs, which make six triples.
  Arguments few_examples(const Arguments& more = {}) const {
    Arguments list{"--example-sets", "0",   "--pairs", (folder_ / "few.json").string(),
                   "--precision",    "fp32"};
    list.insert(list.end(), more.begin(), more.end());
    return list;
  }
  std::string text(const std::string& name) const { return read_text(folder_ / name); }
  test::TemporaryFolder folder_;
};

TEST_F(RewriteCommand, OneLineForEachCaptionAndOddOnesAreCounted) {
  const Outcome outcome = test::run(arguments("a"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto lines = read_lines(folder_ / "a.txt"), rows = read_lines(folder_ / "a.jsonl");
  ASSERT_EQ(lines.size(), 44u);
  ASSERT_EQ(rows.size(), 44u);
  int changed = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json row = Json::parse(rows[i]);
    EXPECT_EQ(row["index"], i);
    EXPECT_EQ(row["text"], lines[i]);
    EXPECT_EQ(row["examples"].size(), 3u);
    EXPECT_LE(row["tokens"].get<int>(), 30);
    changed += row["text"] != row["original"];
  }
  EXPECT_GT(changed, 38);
  const auto flags = [&](size_t i) { return Json::parse(rows[i])["flags"].dump(); };
  EXPECT_NE(flags(40).find("arrow_in_caption"), std::string::npos);
  EXPECT_NE(flags(41).find("empty"), std::string::npos);
  EXPECT_NE(flags(42).find("too_long"), std::string::npos);
  EXPECT_EQ(lines[41], "");
  EXPECT_EQ(lines[42], std::string(900, 'x'));
  EXPECT_NE(outcome.err.find("1 too_long"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::exists(folder_ / "a.manifest.json") && fs::exists(folder_ / "a.config.toml"));
}

TEST_F(RewriteCommand, TheSameTextsOnBothDevices) {
  const Arguments few{"--limit", "2", "--max-new-tokens", "6"};
  for (const char* device : {"cpu", "cuda"}) {
    Arguments more = few;
    more.insert(more.end(), {"--device", device});
    const Outcome outcome = test::run(arguments(device, more));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  EXPECT_EQ(text("cuda.txt"), text("cpu.txt"));
}

TEST_F(RewriteCommand, SlotsShardsAndExampleSetsOrderDoNotChangeTheText) {
  ASSERT_EQ(test::run(arguments("whole")).code, 0);
  ASSERT_EQ(test::run(arguments("slots", {"--batch-size", "3"})).code, 0);
  EXPECT_EQ(text("slots.jsonl"), text("whole.jsonl"));
  std::string joined_rows, joined_text;
  for (int part = 1; part <= 3; ++part) {
    const std::string name = fmt::format("part{}", part);
    ASSERT_EQ(test::run(arguments(name, {"--shard", fmt::format("{}/3", part)})).code, 0);
    joined_rows += text(name + ".jsonl");
    joined_text += text(name + ".txt");
  }
  EXPECT_EQ(joined_rows, text("whole.jsonl"));
  EXPECT_EQ(joined_text, text("whole.txt"));
  ASSERT_EQ(test::run(arguments("seed", {"--seed", "4"})).code, 0);  // the last of two flags counts
  EXPECT_NE(text("seed.txt"), text("whole.txt"));
}

TEST_F(RewriteCommand, CaptionsOfTheSameExamplesShareTheirPrefix) {
  const Outcome outcome = test::run(arguments("a", few_examples()));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::set<std::string> triples;
  for (const std::string& line : read_lines(folder_ / "a.jsonl")) {
    const Json row = Json::parse(line);
    if (row["tokens"].get<int>() > 0) triples.insert(row["examples"].dump());
  }
  EXPECT_EQ(triples.size(), 6u);
  EXPECT_NE(outcome.err.find("6 prefixes computed"), std::string::npos) << outcome.err;
}

TEST_F(RewriteCommand, RecordsDependNeitherOnSlotsNorOnThreads) {
  for (const char* precision : {"fp32", "bf16"}) {
    const auto records = [&](const std::string& slots, int threads) {
      const std::string name = fmt::format("{}-{}-{}", precision, slots, threads);
      ::setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), 1);  // of the program
      const Outcome outcome = test::run(
          arguments(name, few_examples({"--precision", precision, "--batch-size", slots})));
      ::unsetenv("OMP_NUM_THREADS");
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      return text(name + ".jsonl");
    };
    const std::string want = records("64", 1);
    for (const auto& [slots, threads] :
         {std::pair{"1", 1}, {"1", 2}, {"7", 1}, {"7", 3}, {"64", 2}, {"64", 3}})
      EXPECT_EQ(records(slots, threads), want) << precision << ' ' << slots << ' ' << threads;
  }
}

TEST_F(RewriteCommand, SlotsGoByTheDeviceAndMemoryIsCounted) {
  const Outcome help = test::run({"rewrite", "--help"});
  EXPECT_THAT(help.out, ContainsRegex("--batch-size[^\n]*=auto"));
  for (const auto& [device, slots] : {std::pair{"cpu", 64}, {"cuda", 256}}) {
    const Outcome outcome =
        test::run(arguments(device, {"--limit", "1", "--max-new-tokens", "1", "--device", device}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(text(std::string(device) + ".config.toml"),
                HasSubstr(fmt::format("batch-size={}\n", slots)));
    EXPECT_THAT(outcome.err,
                ContainsRegex(fmt::format("weights .*keys and values .*{} slots", slots)));
  }
  fs::create_directory(folder_ / "out");
  const Outcome much = test::run(arguments("out/much", {"--batch-size", "200000000"}));
  EXPECT_EQ(much.code, 1);
  EXPECT_THAT(much.err,
              ContainsRegex(
                  "200000000 captions at once take .* are free; use a smaller --batch-size"));
  EXPECT_TRUE(fs::is_empty(folder_ / "out"));
  EXPECT_EQ(test::run(arguments("out/none", {"--batch-size", "0"})).code, 2);
}

TEST_F(RewriteCommand, AKillIsContinuedToTheSameOutput) {
  const Outcome whole = test::run(arguments("whole", few_examples()));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const fs::path part = folder_ / "killed.part.jsonl";
  size_t kills = 0;
  for (size_t lines : {2, 9, 25}) {
    Program program(arguments("killed", few_examples({"--batch-size", "2"})));
    const Outcome outcome =
        program.stop(SIGKILL, [&] { return fs::exists(part) && read_lines(part).size() >= lines; });
    kills += outcome.code == 128 + SIGKILL;
    EXPECT_EQ(fs::exists(folder_ / "killed.jsonl"), fs::exists(folder_ / "killed.txt"));
  }
  EXPECT_GE(kills, 2u);
  const Outcome last = test::run(arguments("killed", few_examples()));
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_NE(last.err.find("going on after"), std::string::npos) << last.err;
  const auto summary = [](const std::string& err) { return err.substr(err.rfind(".txt: ")); };
  EXPECT_EQ(summary(last.err), summary(whole.err));  // earlier sessions count
  EXPECT_EQ(text("killed.jsonl"), text("whole.jsonl"));
  EXPECT_EQ(text("killed.txt"), text("whole.txt"));
  EXPECT_FALSE(fs::exists(part));
  const Outcome again = test::run(arguments("killed", few_examples()));
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("nothing to do"), std::string::npos) << again.err;
}

TEST_F(RewriteCommand, AnInterruptIsResumable) {
  ASSERT_EQ(test::run(arguments("whole")).code, 0);
  const fs::path part = folder_ / "stopped.part.jsonl";
  Program program(arguments("stopped", {"--batch-size", "2"}));
  const Outcome outcome =
      program.stop(SIGINT, [&] { return fs::exists(part) && read_lines(part).size() >= 5; });
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("run the same command to resume"), std::string::npos) << outcome.err;
  ASSERT_EQ(test::run(arguments("stopped")).code, 0);
  EXPECT_EQ(text("stopped.jsonl"), text("whole.jsonl"));
}

TEST_F(RewriteCommand, PromptsAreShown) {
  const Outcome outcome = test::run({"rewrite", "--captions", (folder_ / "captions.txt").string(),
                                     "--mode", "coco", "--limit", "1", "--print-prompts"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(outcome.out.starts_with("write image captions differently,\n\n            "))
      << outcome.out;
  EXPECT_TRUE(outcome.out.ends_with("\n\n            A dog number 0 runs in the park . =>\n"))
      << outcome.out;
}

TEST_F(RewriteCommand, BadInputIsOneClearLine) {
  const auto expect = [&](const Arguments& more, int code, const std::string& part) {
    const Outcome outcome = test::run(arguments("bad", more));
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(folder_ / "bad.jsonl") || fs::exists(folder_ / "bad.txt"));
  };
  expect({"--mode", "gpt"}, 2, "chatgpt, bard, coco and human");
  expect({"--top-p", "1.5"}, 2, "--top-p");
  expect({"--shard", "5/4"}, 2, "--shard 5/4");
  expect({"--colour", "red"}, 2, "--colour");
  expect({"--captions", (folder_ / "none.txt").string()}, 1, "none.txt");
  expect({"--model", (folder_ / "none.bin").string()}, 1, "none.bin");
  expect({"--model", (folder_ / "captions.txt").string()}, 1, "captions.txt");
  expect({"--tokenizer", (folder_ / "captions.txt").string()}, 1, "captions.txt");
  expect({"--device", "tpu"}, 2, "--device");
  std::string damaged = TinyLlama::model();
  for (size_t i = 0; i < 4; ++i) damaged[28 + 400 + i] = char(0xff);
  write_atomically(folder_ / "nan.bin", damaged);
  expect({"--model", (folder_ / "nan.bin").string()}, 1, "holds NaN");
  write_atomically(folder_ / "empty.txt", "");
  expect({"--captions", (folder_ / "empty.txt").string()}, 1, "no captions");
  expect({"--output", "/proc/nothing/here"}, 1, "/proc/nothing");
}

// A vocabulary of another size than the model's.
TEST_F(RewriteCommand, AWrongTokenizerIsNamed) {
  auto pieces = TinyLlama::pieces();
  pieces.emplace_back("dog");
  write_atomically(folder_ / "larger.bin", TinyLlama::tokenizer(pieces));
  const Outcome outcome =
      test::run(arguments("bad", {"--tokenizer", (folder_ / "larger.bin").string()}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(fmt::format("a vocabulary of {} tokens", TinyLlama::vocabulary() + 1)),
            std::string::npos)
      << outcome.err;
}

TEST_F(RewriteCommand, WhatCannotWorkLeavesNothingBehind) {
  fs::create_directory(folder_ / "out");
  const Outcome outcome = test::run(arguments("out/a", {"--max-seq-len", "200"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("leaves nothing of 200"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::is_empty(folder_ / "out"));
  const Outcome corrected = test::run(arguments("out/a"));
  EXPECT_EQ(corrected.code, 0) << corrected.err;
}

// A job knows its model and its tokenizer, wherever they differ.
TEST_F(RewriteCommand, AnotherModelOrTokenizerIsAnotherJob) {
  ASSERT_EQ(test::run(arguments("a")).code, 0);
  const auto refused = [&](const std::string& part) {
    const Outcome outcome = test::run(arguments("a"));
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  };
  auto pieces = TinyLlama::pieces();
  std::swap(pieces[40], pieces[50]);
  write_atomically(folder_ / "tokenizer.bin", TinyLlama::tokenizer(pieces));
  refused("tokenizer_digest was");
  write_atomically(folder_ / "tokenizer.bin", TinyLlama::tokenizer());
  std::string model = TinyLlama::model();
  model[model.size() - 2] ^= 0x40;  // the last of all weights, in a bit that bf16 keeps
  write_atomically(folder_ / "model.bin", model);
  refused("model_digest was");
}

TEST_F(RewriteCommand, AFullDiskLosesNothing) {
  ASSERT_EQ(test::run(arguments("whole")).code, 0);
  const Outcome outcome = Program(arguments("full"), "", 4000).wait();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("full.part.jsonl"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(folder_ / "full.jsonl"));
  ASSERT_EQ(test::run(arguments("full")).code, 0);
  EXPECT_EQ(text("full.jsonl"), text("whole.jsonl"));
}

TEST(GenerateCommand, FillsTheModelsPositionsAndRefusesMore) {
  test::TemporaryFolder folder;
  write_atomically(folder / "model.bin", TinyLlama::model());
  write_atomically(folder / "tokenizer.bin", TinyLlama::tokenizer());
  const auto generate = [&](const Arguments& more) {
    Arguments list{"generate",
                   "--model",
                   (folder / "model.bin").string(),
                   "--tokenizer",
                   (folder / "tokenizer.bin").string(),
                   "--prompt",
                   "abc"};  // begin, space, a, b, c
    list.insert(list.end(), more.begin(), more.end());
    return test::run(list);
  };
  EXPECT_EQ(generate({"--max-new-tokens", "2043"}).code, 0);
  const Outcome beyond = generate({"--max-new-tokens", "2044"});
  EXPECT_EQ(beyond.code, 1);
  EXPECT_NE(beyond.err.find("the 2048 positions"), std::string::npos) << beyond.err;
  EXPECT_EQ(generate({"--top-p", "0"}).code, 2);
  EXPECT_EQ(generate({"--device", "tpu"}).code, 2);
}

TEST(GenerateCommand, TextAloneAndPromptsOneALine) {
  LACLIP_REFERENCE_DATA("stories260k");
  const std::string model = test::reference_data("stories260k/stories260K.bin").string(),
                    tokenizer = test::reference_data("stories260k/tok512.bin").string();
  const Json cases = read_json(test::reference_data("stories260k/golden/cases.json"));
  const Outcome one =
      test::run({"generate", "--model", model, "--tokenizer", tokenizer, "--prompt",
                 "Once upon a time", "--temperature", "0", "--max-new-tokens", "20"});
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_TRUE(one.out.starts_with(", there was a little girl")) << one.out;
  test::TemporaryFolder folder;
  std::string prompts;
  for (const Json& item : cases) prompts += item["prompt"].dump() + "\n";
  write_atomically(folder / "prompts.jsonl", prompts);
  const Outcome many = test::run({"generate", "--model", model, "--tokenizer", tokenizer,
                                  "--prompts", (folder / "prompts.jsonl").string(), "--temperature",
                                  "0", "--max-new-tokens", "20"});
  ASSERT_EQ(many.code, 0) << many.err;
  EXPECT_EQ(size_t(std::count(many.out.begin(), many.out.end(), '\n')), cases.size());
  const Outcome logits = test::run({"generate", "--model", model, "--tokenizer", tokenizer,
                                    "--prompt", "Once upon a time", "--logits",
                                    (folder / "logits").string(), "--max-new-tokens", "1"});
  ASSERT_EQ(logits.code, 0) << logits.err;
  EXPECT_EQ(fs::file_size(folder / "logits") % (512 * 4), 0u);
}

}  // namespace
}  // namespace laclip

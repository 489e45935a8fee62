// laclip pretrain: from a vocabulary to a folder that generates; kill and resume; bad input.
#include <gtest/gtest.h>

#include "base/check.h"
#include "base/json.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using test::Outcome;
using Arguments = std::vector<std::string>;

// Sentences of a few words, of which the last follows from the first.
class PretrainCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string documents, validation;
    const char* colours[] = {"red", "green", "blue", "white"};
    const char* ends[] = {"rose", "leaf", "sky", "snow"};
    for (int i = 0; i < 200; ++i) {
      const std::string text = std::string("a ") + colours[i % 4] + " thing is like " + ends[i % 4];
      (i < 180 ? documents : validation) += Json{{"text", text + "\n"}}.dump() + "\n";
    }
    write_atomically(folder_ / "documents.jsonl", documents);
    write_atomically(folder_ / "validation.jsonl", validation);
    write_atomically(folder_ / "config.json", Json{{"model_type", "llama"},
                                                   {"hidden_size", 32},
                                                   {"intermediate_size", 64},
                                                   {"num_hidden_layers", 2},
                                                   {"num_attention_heads", 2},
                                                   {"num_key_value_heads", 1},
                                                   {"vocab_size", 0},
                                                   {"max_position_embeddings", 64},
                                                   {"tie_word_embeddings", true}}
                                                  .dump());
    const Outcome vocabulary =
        test::run({"tokenize", "--train", path("documents.jsonl"), "--kind", "llama",
                   "--vocab-size", "300", "--output", path("tokenizer.model")});
    ASSERT_EQ(vocabulary.code, 0) << vocabulary.err;
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Arguments arguments(const std::string& name, const Arguments& more = {}) const {
    Arguments list{"pretrain",
                   "--train-data",
                   path("documents.jsonl"),
                   "--val-data",
                   path("validation.jsonl"),
                   "--tokenizer",
                   path("tokenizer.model"),
                   "--model",
                   path("config.json"),
                   "--steps",
                   "60",
                   "--batch-tokens",
                   "256",
                   "--lr",
                   "1e-2",
                   "--warmup",
                   "5",
                   "--log-every-n-steps",
                   "1",
                   "--save-every-n-steps",
                   "10",
                   "--eval-every-n-steps",
                   "30",
                   "--logs",
                   path("logs"),
                   "--name",
                   name};
    list.insert(list.end(), more.begin(), more.end());
    return list;
  }
  fs::path checkpoint(const std::string& name) const {
    return folder_ / "logs" / name / "checkpoints/latest";
  }
  test::TemporaryFolder folder_;
};

TEST_F(PretrainCommand, WritesAFolderThatGeneratesWhatItLearned) {
  const Outcome outcome = test::run(arguments("run"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  double validation = 100;
  for (const std::string& line : read_lines(folder_ / "logs/run/metrics.jsonl"))
    if (const Json row = Json::parse(line); row["stage"] == "val")
      validation = row["loss"].get<double>();
  EXPECT_LT(validation, 1.0);
  const Outcome text = test::run({"generate", "--model", checkpoint("run").string(), "--tokenizer",
                                  (checkpoint("run") / "tokenizer.model").string(), "--prompt",
                                  "a blue thing is like", "--temperature", "0", "--max-new-tokens",
                                  "4", "--precision", "fp32"});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("sky"), std::string::npos) << text.out;
  // The weights can be trained further, as a new run.
  Arguments more = arguments("more", {"--pretrained", checkpoint("run").string(), "--steps", "2"});
  more.erase(std::find(more.begin(), more.end(), "--model"),
             std::find(more.begin(), more.end(), "--model") + 2);
  const Outcome further = test::run(more);
  ASSERT_EQ(further.code, 0) << further.err;
}

TEST_F(PretrainCommand, AKillIsContinuedBitForBit) {
  ASSERT_EQ(test::run(arguments("whole")).code, 0);
  test::Program killed(arguments("killed"));
  killed.stop(SIGKILL, [&] { return fs::exists(checkpoint("killed")); });
  const Outcome resumed = test::run(arguments("killed", {"--resume", "latest"}));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("going on after step"), std::string::npos) << resumed.err;
  for (const char* file : {"model.safetensors", "training_state.safetensors"})
    EXPECT_TRUE(read_text(checkpoint("whole") / file) == read_text(checkpoint("killed") / file))
        << file;
}

TEST_F(PretrainCommand, BadInputIsOneClearLineAndNoFolder) {
  write_atomically(folder_ / "broken.jsonl", "{\"text\": \"a\"}\n{\"words\": 1}\n");
  write_atomically(folder_ / "empty.txt", "\n\n");
  const std::pair<Arguments, std::string> cases[] = {
      {{"--train-data", path("absent.jsonl")}, "absent.jsonl"},
      {{"--train-data", path("broken.jsonl")}, "broken.jsonl:2: field 'text'"},
      {{"--train-data", path("empty.txt")}, "no documents"},
      {{"--tokenizer", path("config.json")}, "config.json"},
      {{"--pretrained", path("x")}, "give either --model"},
      {{"--precision", "fp16"}, "fp16"},
      {{"--resume", path("x")}, "there is no such checkpoint"},
  };
  for (const auto& [more, part] : cases) {
    const Outcome outcome = test::run(arguments("bad", more));
    EXPECT_NE(outcome.code, 0) << part;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(folder_ / "logs/bad")) << part;
  }
}

}  // namespace
}  // namespace laclip

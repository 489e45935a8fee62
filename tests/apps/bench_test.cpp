// laclip bench: which rows it measures, and where they go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/bench/median.h"
#include "apps/bench/noise.h"
#include "apps/bench/rows.h"
#include "base/check.h"
#include "base/json.h"
#include "tests/harness/error_of.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Json row(int value) { return {{"value", value}}; }

TEST(BenchRows, OnlyTakesTheRowsThatMatch) {
  BenchRows rows("^gelu|loss", false, "");
  EXPECT_TRUE(rows.wants("gelu forward 3 x 4"));
  EXPECT_TRUE(rows.wants("the loss"));
  EXPECT_FALSE(rows.wants("a gelu"));
  int measured = 0;
  rows.measure("a gelu", [&] { return row(++measured); });
  rows.measure("the loss", [&] { return row(++measured); });
  EXPECT_EQ(measured, 1);
}

TEST(BenchRows, ARowIsInTheFileWhenItIsMeasured) {
  const test::TemporaryFolder folder;
  BenchRows rows("", false, folder / "rows.jsonl");
  rows.measure("first", [] { return row(1); });
  EXPECT_EQ(read_text(folder / "rows.jsonl"), "{\"value\":1}\n");
  rows.measure("several", [] { return Json{row(2), row(3)}; });
  EXPECT_EQ(read_lines(folder / "rows.jsonl").size(), 3u);
  rows.finish();
}

TEST(BenchRows, WhatIsTrueEverywhereIsInEachRow) {
  const test::TemporaryFolder folder;
  BenchRows rows("", false, folder / "rows.jsonl", {{"library", "one"}});
  rows.measure("several", [] { return Json{row(2), row(3)}; });
  for (const std::string& line : read_lines(folder / "rows.jsonl"))
    EXPECT_EQ(Json::parse(line)["library"], "one");
}

TEST(BenchMedian, OfAnEvenNumberIsBetweenTheMiddleTwo) {
  EXPECT_EQ(median({5, 1, 3}), 3);
  EXPECT_EQ(median({9, 1, 4, 2}), 3);
  EXPECT_EQ(median({2}), 2);
}

TEST(BenchRows, AFailureIsARowAndTheOthersAreMeasured) {
  const test::TemporaryFolder folder;
  BenchRows rows("", false, folder / "rows.jsonl");
  rows.measure("large", []() -> Json { throw Error("no memory"); });
  rows.measure("odd", []() -> Json { throw std::out_of_range("no such key"); });
  rows.measure("small", [] { return row(1); });
  const auto lines = read_lines(folder / "rows.jsonl");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(Json::parse(lines[0]),
            (Json{{"bench", "failure"}, {"row", "large"}, {"error", "no memory"}}));
  EXPECT_EQ(Json::parse(lines[1])["error"], "no such key");
  EXPECT_THAT(test::error_of([&] { rows.finish(); }), HasSubstr("the first one is 'large'"));
}

TEST(BenchRows, NoRowIsAnError) {
  BenchRows rows("nothing", false, "");
  rows.measure("something", [] { return row(1); });
  EXPECT_THAT(test::error_of([&] { rows.finish(); }), HasSubstr("--list"));
}

TEST(BenchNoise, FillsWithNormalNumbersWhateverTheSize) {
  Stream stream;
  Noise noise(stream);
  const int64_t count = (1 << 20) + (1 << 19);  // more than the block
  const Buffer memory("test", 2 * 4 * count);
  const Tensor first = memory.tensor({count}, DType::f32),
               second = memory.tensor({count}, DType::f32, 4 * count);
  noise.fill(first, 3);
  noise.fill(second, 3);
  double sum = 0, squares = 0;
  int64_t same = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double value = double(first.as<float>()[i]);
    sum += value, squares += value * value;
    same += first.as<float>()[i] == second.as<float>()[i];
  }
  EXPECT_NEAR(sum / double(count), 0, 0.02);
  EXPECT_NEAR(squares / double(count), 9, 0.1);
  EXPECT_LT(same, count / 100);
}

TEST(BenchCommand, ListsRowsAndMeasuresThoseThatAreAskedFor) {
  const test::Outcome list = test::run({"bench", "gpu", "--list", "--small"});
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_THAT(list.out, AllOf(HasSubstr("ceilings\n"), HasSubstr("attention_backward 1 x 197\n"),
                              HasSubstr("step ViT-T-8-world 7 tokens\n"),
                              HasSubstr("rewriting 2 slots prefix-each\n")));
  const test::TemporaryFolder folder;
  const test::Outcome done =
      test::run({"bench", "ops", "--device", "cuda", "--small", "--only",
                 "^linear_forward .* 64 -> 64$", "--output", (folder / "rows.jsonl").string()});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto lines = read_lines(folder / "rows.jsonl");
  ASSERT_FALSE(lines.empty());
  for (const std::string& line : lines) {
    const Json measured = Json::parse(line);
    EXPECT_EQ(measured["op"], "linear_forward");
    EXPECT_GT(measured["seconds"].get<double>(), 0);
    EXPECT_GE(measured["sets"].get<int64_t>(), 3);
    EXPECT_THAT(measured["algorithm"].get<std::string>(), Not(testing::IsEmpty()));
  }
  const test::Outcome wrong = test::run({"bench", "ops", "--only", "("});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--only (: this is no regular expression"));
}

// A bias gradient by each way of the library, and the algorithms of a step.
TEST(BenchCommand, TellsTheLibrarysAlgorithms) {
  const auto bench = [](const char* way, std::vector<std::string> arguments) {
    setenv("LACLIP_GEMM", way, 1);
    arguments.insert(arguments.begin(), "bench");
    for (const char* more : {"--device", "cuda"}) arguments.push_back(more);
    const test::Outcome done = test::run(arguments);
    unsetenv("LACLIP_GEMM");
    EXPECT_EQ(done.code, 0) << done.err;
    return Json::parse(done.out.substr(0, done.out.find('\n')));
  };
  for (const bool apart : {true, false}) {
    const Json row = bench(apart ? "library" : "library-bgrad",
                           {"ops", "--small", "--only", "^linear_backward_weight"});
    EXPECT_THAT(row["library"].get<std::string>(), HasSubstr("cuBLASLt"));
    const auto algorithm = row["algorithm"].get<std::string>();
    EXPECT_EQ(algorithm.find(", then row sums") != std::string::npos, apart) << algorithm;
    EXPECT_GT(row["offered"].get<int>(), 0);
    EXPECT_GT(row["offered_then_sums"].get<int>(), 0);
  }
  const Json step = bench("library", {"gpu", "--small", "--only", "^step ViT-T-8-world 7"});
  ASSERT_TRUE(step.contains("algorithms")) << step.dump();
  bool sums = false;
  for (const auto& [kind, algorithm] : step["algorithms"].items())
    sums = sums || (kind.find(", row sums") != std::string::npos &&
                    algorithm.get<std::string>().find(", then row sums") != std::string::npos);
  EXPECT_TRUE(sums) << step["algorithms"].dump();
}

TEST(BenchCommand, RewritesWithASharedPrefixAndWithOneForEach) {
  const test::Outcome done =
      test::run({"bench", "gpu", "--device", "cpu", "--small", "--only", "^rewriting", "--llama",
                 (test::source_dir() / "tests/golden/llama_tied/config.json").string()});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out,
              AllOf(HasSubstr("\"prefixes\":\"shared\""), HasSubstr("\"prefixes\":\"each\""),
                    HasSubstr("\"seconds_per_step\"")));
}

}  // namespace
}  // namespace laclip

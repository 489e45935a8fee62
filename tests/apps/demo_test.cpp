// laclip demo: ordinary commands to a table and a report, from which a kill takes nothing.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "apps/demo/plan.h"
#include "base/json.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using test::Outcome;
using test::Program;

class DemoCommand : public testing::Test {
 protected:
  std::vector<std::string> arguments(const std::string& name) const {
    return {"demo",     "--output", (folder_ / name).string(),
            "--images", "140",      "--test-images",
            "203",      "--epochs", "1"};
  }
  DemoSettings settings(const std::string& name) const {
    DemoSettings s;
    s.folder = folder_ / name;
    return s;
  }
  Json journal(const std::string& name) const {
    const fs::path file = folder_ / name / "timings.json";
    return fs::exists(file) ? read_json(file) : Json::array();
  }
  // The metrics of all evaluations, in the order of the runs.
  std::string metrics(const std::string& name) const {
    std::string text;
    for (const DemoRun& run : demo_runs(settings(name)))
      for (const std::string& line : read_lines(run.folder / "evaluation.jsonl"))
        text += parse_json(line, "evaluation").at("metrics").dump() + "\n";
    return text;
  }
  test::TemporaryFolder folder_;
};

TEST_F(DemoCommand, GivesATableAndAReportAndGoesOnAfterEveryKill) {
  const Outcome whole = test::run(arguments("whole"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_NE(whole.out.find("| laclip-4 |"), std::string::npos) << whole.out;
  EXPECT_TRUE(read_text(folder_ / "whole/report.html").ends_with("</html>\n"));
  const size_t steps = demo_plan(settings("whole")).size();
  EXPECT_EQ(journal("whole").size(), steps);

  int kills = 0;
  for (const size_t done : {1u, 4u, 11u})  // during rewriting, between, during training
    kills += Program(arguments("killed"))
                 .stop(SIGKILL, [&] { return journal("killed").size() >= done; })
                 .code == 128 + SIGKILL;
  EXPECT_EQ(kills, 3);
  const Outcome stopped =
      Program(arguments("killed")).stop(SIGTERM, [&] { return journal("killed").size() >= 12; });
  EXPECT_EQ(stopped.code, 1);
  EXPECT_NE(stopped.err.find("the same command goes on from there"), std::string::npos)
      << stopped.err;
  const Outcome rest = test::run(arguments("killed"));
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(journal("killed").size(), steps);
  EXPECT_EQ(metrics("killed"), metrics("whole"));

  const Outcome again = test::run(arguments("whole"));
  ASSERT_EQ(again.code, 0) << again.err;
  const size_t table = whole.out.find("| run |");
  ASSERT_NE(table, std::string::npos);
  EXPECT_EQ(again.out.substr(again.out.find("| run |")), whole.out.substr(table));

  auto other = arguments("whole");
  other.back() = "2";
  const Outcome refused = test::run(other);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("begun with epochs = 1, now it is 2"), std::string::npos)
      << refused.err;
}

TEST(DemoPlan, ArmsBeginWithTheBaselineAndEndWithAllRewrites) {
  DemoSettings s;
  for (const bool all : {false, true}) {
    s.all_arms = all;
    const auto arms = demo_arms(s);
    EXPECT_EQ(arms.front().name, "clip");
    EXPECT_TRUE(arms.front().rewrites.empty());
    EXPECT_EQ(arms.back().name, "laclip-4");
    EXPECT_EQ(arms.back().rewrites.size(), 4u);
  }
}

TEST(DemoPlan, EveryFileOfAnArmIsMadeBeforeItsTraining) {
  DemoSettings s;
  s.all_arms = true;
  std::set<std::string> made;
  for (const DemoStep& step : demo_plan(s)) {
    const auto& words = step.arguments;
    if (words[0] == "rewrite")
      made.insert(*(std::find(words.begin(), words.end(), "--output") + 1) + ".jsonl");
    if (step.stage == "EDA")
      for (int i = 1; i <= 4; ++i) made.insert(fmt::format("demo/world/eda_{}.txt", i));
    if (words[0] != "train") continue;
    const std::string name = *(std::find(words.begin(), words.end(), "--name") + 1);
    for (const DemoArm& arm : demo_arms(s)) {
      if (!name.starts_with(arm.name + "-seed")) continue;
      for (const std::string& file : arm.rewrites) EXPECT_TRUE(made.count("demo/" + file)) << file;
    }
  }
  EXPECT_EQ(made.size(), 12u);  // four modes, the same at another temperature, EDA
}

}  // namespace
}  // namespace laclip

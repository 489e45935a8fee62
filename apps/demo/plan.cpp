#include "apps/demo/plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

namespace laclip {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kModes[] = {"chatgpt", "bard", "coco", "human"};
constexpr int64_t kShardSize = 1000;

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// The paths of a demo, as its commands name them.
class Paths {
 public:
  explicit Paths(const DemoSettings& s) : s_(s) {}
  std::string operator/(const std::string& name) const { return (s_.folder / name).string(); }
  std::string shards() const {
    const int64_t last = (s_.images + kShardSize - 1) / kShardSize - 1;
    return *this / "world/train/" +
           (last == 0 ? "00000.tar" : fmt::format("{{00000..{:05}}}.tar", last));
  }
  std::string run(const DemoArm& arm, int seed) const {
    return *this / fmt::format("runs/{}-seed{}", arm.name, seed);
  }
  Words zeroshot_options(const std::string& task, const std::string& images_flag) const {
    const std::string folder = *this / "world/zeroshot/" + task;
    return {images_flag,   folder + "/images",        "--classnames", folder + "/classnames.json",
            "--templates", folder + "/templates.json"};
  }

 private:
  const DemoSettings& s_;
};

DemoStep world_step(const DemoSettings& s, const Paths& at) {
  return {"world",
          {"world", "--output", at / "world", "--images", std::to_string(s.images), "--test-images",
           std::to_string(s.test_images), "--shard-size", std::to_string(kShardSize)}};
}

// `file` is rewrites/MODE, or rewrites/MODE-tT for a temperature other than the paper's.
DemoStep rewrite_step(const DemoSettings& s, const Paths& at, const std::string& file) {
  const std::string name = fs::path(file).filename().string();
  const size_t dash = name.find("-t");
  const std::string mode = name.substr(0, dash);
  Words words = {"rewrite",
                 "--model",
                 at / "rewriter",
                 "--tokenizer",
                 at / "rewriter/tokenizer.model",
                 "--captions",
                 at.shards(),
                 "--mode",
                 mode,
                 "--pairs",
                 at / "world/pairs/" + mode + ".json",
                 "--example-sets",
                 std::to_string(s.example_sets),
                 "--precision",
                 s.precision,
                 "--output",
                 at / file};
  if (dash != std::string::npos) words = words + Words{"--temperature", name.substr(dash + 2)};
  return {"rewrite: " + name, words};
}

DemoStep train_step(const DemoSettings& s, const Paths& at, const DemoArm& arm, int seed) {
  const fs::path run = at.run(arm, seed);
  Words words = {"train",
                 "--train-data",
                 at.shards(),
                 "--tokenizer",
                 at / "vocabulary.txt",
                 "--model",
                 "ViT-T-8-world",
                 "--precision",
                 s.precision,
                 "--batch-size",
                 "128",
                 "--epochs",
                 std::to_string(s.epochs),
                 "--lr",
                 "1e-3",
                 "--warmup",
                 "60",
                 "--wd",
                 "0.1",
                 "--scale",
                 "0.8",
                 "1",
                 "--grad-clip-norm",
                 "1",
                 "--seed",
                 std::to_string(seed),
                 "--logs",
                 run.parent_path().string(),
                 "--name",
                 run.filename().string(),
                 "--resume",
                 "latest"};
  if (!arm.rewrites.empty()) words.push_back("--rewrites");
  for (const std::string& file : arm.rewrites) words.push_back(at / file);
  return {"train: " + run.filename().string(),
          words + arm.options + at.zeroshot_options("kind", "--val-images")};
}

DemoStep evaluate_step(const Paths& at, const DemoArm& arm, int seed) {
  const std::string run = at.run(arm, seed);
  Words words = {"evaluate",    "--checkpoint",        run + "/checkpoints/latest",
                 "--tokenizer", at / "vocabulary.txt", "--tasks"};
  for (const char* task : {"kind", "colour_kind", "relation", "count"})
    words.push_back(at / "world/zeroshot/" + task);
  return {"evaluate: " + fs::path(run).filename().string(),
          words + Words{"--pairs", at / "world/retrieval.jsonl", "--output",
                        run + "/evaluation.jsonl"}};
}

DemoStep report_step(const DemoSettings& s, const Paths& at) {
  Words words = {"report"};
  Words groups = {"--group"};
  for (const auto& [folder, arm] : demo_runs(s)) {
    words.push_back(folder.string());
    groups.push_back(arm);
  }
  words = words + groups;
  words = words + Words{"--output", at / "report.html", "--title",
                        "CLIP and LaCLIP in a small world", "--rewrites"};
  for (const char* mode : kModes) words.push_back(at / fmt::format("rewrites/{}.jsonl", mode));
  words = words + Words{"--train-data",        at.shards(),        "--tokenizer",
                        at / "vocabulary.txt", "--pairs",          at / "world/retrieval.jsonl",
                        "--timings",           at / "timings.json"};
  for (const char* query : {"a red circle", "a green tree", "a house inside a circle",
                            "two yellow stars", "a blue cup left of a heart"})
    words = words + Words{"--query", query};
  return {"report", words + at.zeroshot_options("kind", "--images")};
}

}  // namespace

std::vector<DemoArm> demo_arms(const DemoSettings& s) {
  const auto rewrites = [](int count, const char* ending) {
    Words files;
    for (int i = 0; i < count; ++i)
      files.push_back(fmt::format("rewrites/{}{}", kModes[i], ending));
    return files;
  };
  std::vector<DemoArm> arms = {{"clip", {}, {}}};
  if (s.all_arms) {
    Words eda;
    for (int i = 1; i <= 4; ++i) eda.push_back(fmt::format("world/eda_{}.txt", i));
    arms.push_back({"eda-4", eda, {}});
    arms.push_back({"laclip-4-t0.3", rewrites(4, "-t0.3.jsonl"), {}});
    arms.push_back({"laclip-4-p0.5", rewrites(4, ".jsonl"), {"--p-original", "0.5"}});
    arms.push_back({"laclip-4-p0", rewrites(4, ".jsonl"), {"--p-original", "0"}});
  }
  for (const int count : s.all_arms ? std::vector{1, 2, 3, 4} : std::vector{1, 4})
    arms.push_back({fmt::format("laclip-{}", count), rewrites(count, ".jsonl"), {}});
  return arms;
}

std::vector<DemoRun> demo_runs(const DemoSettings& s) {
  std::vector<DemoRun> runs;
  for (const DemoArm& arm : demo_arms(s))
    for (int seed = 1; seed <= s.seeds; ++seed) runs.push_back({Paths(s).run(arm, seed), arm.name});
  return runs;
}

std::vector<DemoStep> demo_plan(const DemoSettings& s) {
  const Paths at(s);
  const auto arms = demo_arms(s);
  std::set<std::string> made;  // files of rewrites, each once
  std::vector<DemoStep> steps = {world_step(s, at)};
  Words captions = {at / "world/captions.txt"};
  for (const char* mode : kModes) {
    const std::string file = fmt::format("rewrites/{}", mode);
    steps.push_back(rewrite_step(s, at, file));
    steps.push_back({fmt::format("judge: {}", mode),
                     {"world", "--judge", at / file + ".jsonl", "--world", at / "world"},
                     true});
    captions.push_back(at / file + ".txt");
    made.insert(file + ".jsonl");
  }
  if (s.all_arms) steps.push_back({"EDA", {"world", "--output", at / "world", "--eda", "4"}});
  steps.push_back({"vocabulary", Words{"tokenize", "--vocab-size", "2048", "--output",
                                       at / "vocabulary.txt", "--train"} +
                                     captions});
  for (const DemoArm& arm : arms)
    for (const std::string& file : arm.rewrites)
      if (file.ends_with(".jsonl") && made.insert(file).second)
        steps.push_back(rewrite_step(s, at, file.substr(0, file.size() - 6)));
  for (int seed = 1; seed <= s.seeds; ++seed)
    for (const DemoArm& arm : arms) {
      steps.push_back(train_step(s, at, arm, seed));
      steps.push_back(evaluate_step(at, arm, seed));
    }
  steps.push_back(report_step(s, at));
  return steps;
}

}  // namespace laclip

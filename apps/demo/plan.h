// The demo as a list of ordinary commands of this program.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace laclip {

struct DemoSettings {
  fs::path folder = "demo";
  int64_t images = 6000, test_images = 2000, epochs = 12;
  int64_t example_sets = 16;
  std::string precision = "fp32";  // of rewriting and training
  int seeds = 1;
  bool all_arms = false;  // every number of rewrites, EDA, temperature, share of originals
};

struct DemoStep {
  std::string stage;                   // what people call it
  std::vector<std::string> arguments;  // of `laclip`
  bool shows_output = false;           // its standard output is for people to read
};

// One way of choosing captions; the runs of an arm differ in their seed.
struct DemoArm {
  std::string name;
  std::vector<std::string> rewrites;  // files under the folder
  std::vector<std::string> options;   // further options of `laclip train`
};
std::vector<DemoArm> demo_arms(const DemoSettings& settings);  // the baseline first, LaCLIP last

// The run folders, by arm, and the arm of each.
struct DemoRun {
  fs::path folder;
  std::string arm;
};
std::vector<DemoRun> demo_runs(const DemoSettings& settings);

// All steps in order. The model of the rewriter lies in folder/rewriter.
std::vector<DemoStep> demo_plan(const DemoSettings& settings);

}  // namespace laclip

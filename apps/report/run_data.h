// What a run folder tells: its metrics, its evaluations, how it was made.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace laclip {

struct Evaluation {
  std::string task;  // "zeroshot_classification", …
  std::string data;  // a short name of the data set
  std::vector<std::pair<std::string, double>> metrics;
  std::vector<std::pair<std::string, int64_t>> counts;  // images, classes, …
};

using Points = std::vector<std::pair<double, double>>;  // step, value; NaN where it was not finite

struct RunData {
  fs::path folder;
  std::string name;
  std::vector<Evaluation> evaluations;
  Points loss;                                       // train/loss
  std::vector<std::pair<std::string, Points>> val;   // by tag, in the order of the file
  std::map<std::string, std::string> configuration;  // config.toml
  Json manifest;                                     // null if there is none
};

// Reads metrics.jsonl and, where they are there, evaluation.jsonl (lines of `laclip evaluate`; a
// field "name" names the data set), manifest.json and config.toml. Without evaluation.jsonl the last
// val metrics stand for it. Error if there is nothing to report.
RunData read_run(const fs::path& folder);

}  // namespace laclip

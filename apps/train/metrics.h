// Metrics of a run, in three forms: metrics.jsonl and metrics.csv in the run folder, TensorBoard
// events in its subfolder tensorboard/. Names follow open_clip's tags (train/loss, val/…).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "apps/train/tensorboard.h"

namespace laclip {

using MetricValues = std::vector<std::pair<std::string, double>>;

class Metrics {
 public:
  // After a resume at `first_step`, rows of that step and later ones, which the interrupted run
  // wrote behind its last checkpoint, are dropped.
  Metrics(const fs::path& folder, int64_t first_step);

  // One row. `stage` ("train", "val") goes before each tag.
  void write(const std::string& stage, int64_t step, const MetricValues& values);

 private:
  AppendFile jsonl_, csv_;
  TensorboardWriter tensorboard_;
};

}  // namespace laclip

// laclip bench step: the speed of a CLIP training step, of random weights on random pairs.
#pragma once

#include <string>

#include "base/json.h"
#include "kernels/core/device.h"
#include "kernels/core/dtype.h"

namespace laclip {

struct StepBenchOptions {
  std::string model = "ViT-B-32";
  DType precision = DType::f32;
  Device device = Device::cpu;
  int batch = 32, text_length = 22;
  int repeats = 5;  // the median counts
};

// {"bench": "clip_step", …, "algorithms": {KIND: TEXT}}, the last where the library was asked for
// GEMMs; peak: 10⁹ operations a second that the device can do.
Json bench_step(const StepBenchOptions& options, double peak_gflops);

// {"bench": "step_op", "op", "calls", "seconds"} for each op of a step, the longest first; the host waits
// after each op, so that their sum is more than a step.
Json profile_step(const StepBenchOptions& options);

}  // namespace laclip

// laclip bench decode: the speed of a LLaMA of random weights at rewriting.
#pragma once

#include "base/json.h"
#include "kernels/core/device.h"

namespace laclip {

struct DecodeBenchOptions {
  std::string config;  // config.json; empty: a LLaMA of 1.1B
  Device device = Device::cpu;
  int slots = 64;
  int captions = 0;  // that are rewritten, with slots refilled as texts end; 0: one for each slot
  int prefix_tokens = 130, caption_tokens = 20, new_tokens = 25;
  int repeats = 5;
  double peak_gflops = 1;
};

// A decode step of all slots alone, and rewriting as a whole: captions per second.
Json bench_decode(const DecodeBenchOptions& options);

}  // namespace laclip

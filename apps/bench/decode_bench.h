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
  enum class Prefixes {
    shared,
    each
  } prefixes = Prefixes::shared;  // of all captions, or one for each
  int repeats = 2;                // the median counts
};

// Rewriting as a whole, in captions a second, and with a shared prefix a step of all slots alone;
// peak: 10⁹ operations a second that the device can do.
Json bench_decode(const DecodeBenchOptions& options, double peak_gflops);

}  // namespace laclip

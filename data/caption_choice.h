// Which caption of a sample is trained on: the original or one of its rewrites.
#pragma once

#include <string_view>
#include <vector>

#include "base/philox.h"
#include "data/sample_source.h"

namespace laclip {

struct CaptionChoice {
  double p_original = -1;  // < 0: uniform over the original and its rewrites, as in the paper
  std::vector<double> weights{};  // of the original and each source; overrides p_original

  // The caption of sample i in one epoch: a pure function of seed, epoch and sample. A choice of
  // less than two words falls back to the original.
  std::string_view choose(const SampleSource& source, size_t i, uint64_t seed, int64_t epoch) const;
  void check_sources(const SampleSource& source) const;  // Error if weights or number do not fit
};

}  // namespace laclip

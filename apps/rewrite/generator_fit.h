// How many texts at once, and how many prefixes, a generator has room for.
#pragma once

#include <cstdint>
#include <functional>

#include "models/llama_generator.h"

namespace laclip {

struct GeneratorFit {
  int64_t free = 0;                                // bytes beside the weights
  std::function<size_t(size_t captions)> triples;  // of examples, among so many captions in order
  std::function<int64_t(const GeneratorOptions&)> pool, total;  // bytes; `total` plans every row
  enum class Slots { as_given, fewer } slots = Slots::as_given;
};

// Sets the prefixes, and the rows of a call by the slots. A text may live four times as long as
// most, and its prefix with it. Where memory is short, requests wait for one of few prefixes; then a
// CPU's packed weights are not kept; then, if the slots may be fewer, they are halved until all fits.
// One may still not fit.
void fit_generator(GeneratorOptions& options, const GeneratorFit& fit);

// What of the device's memory a generator may take: a GPU's libraries and graphs need some of it.
int64_t usable_memory(int64_t free, bool is_a_gpu);

}  // namespace laclip

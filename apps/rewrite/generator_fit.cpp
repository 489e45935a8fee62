#include "apps/rewrite/generator_fit.h"

#include <algorithm>

namespace laclip {

void fit_generator(GeneratorOptions& options, const GeneratorFit& fit) {
  constexpr int kFew = 32;
  const auto fits = [&] { return fit.pool(options) <= fit.free && fit.total(options) <= fit.free; };
  for (;;) {
    options.max_rows = std::max(512, 4 * options.slots);
    const auto requests = size_t(options.requests());
    // 0 would be a prefix for each request, and an empty job has no triples.
    options.prefixes = int(std::max<size_t>(1, std::min(requests, fit.triples(4 * requests))));
    if (fits()) return;
    options.prefixes = std::min(options.prefixes, kFew);
    if (fits()) return;
    options.keep_packed_weights = false;  // slower, but possible
    if (fits() || fit.slots == GeneratorFit::Slots::as_given || options.slots == 1) return;
    options.slots /= 2;
  }
}

int64_t usable_memory(int64_t free, bool is_a_gpu) {
  constexpr int64_t kLeast = int64_t(512) << 20;
  return is_a_gpu ? free - std::max(free / 20, kLeast) : free;
}

}  // namespace laclip

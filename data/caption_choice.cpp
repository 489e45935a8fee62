#include "data/caption_choice.h"

#include <numeric>

#include "base/check.h"

namespace laclip {

constexpr size_t kMostCandidates = 64;  // the original and its rewrites

void CaptionChoice::check_sources(const SampleSource& source) const {
  if (source.rewrite_sources() >= kMostCandidates)
    fail_usage("--rewrites: {} files are given, {} are possible", source.rewrite_sources(),
               kMostCandidates - 1);
  if (!weights.empty() && weights.size() != source.rewrite_sources() + 1)
    fail_usage("--caption-weights: {} weights for an original and {} sources of rewrites",
               weights.size(), source.rewrite_sources());
  double sum = 0;
  for (double w : weights) {
    if (w < 0) fail_usage("--caption-weights: {} is negative", w);
    sum += w;
  }
  if (!weights.empty() && sum <= 0) fail_usage("--caption-weights: all weights are zero");
}

std::string_view CaptionChoice::choose(const SampleSource& source, size_t i, uint64_t seed,
                                       int64_t epoch) const {
  std::string_view candidates[kMostCandidates];
  double share[kMostCandidates];
  size_t count = 0;
  auto offer = [&](std::string_view text, double weight) {
    if (weight > 0) candidates[count] = text, share[count++] = weight;
  };
  const size_t sources = source.rewrite_sources();
  const double each = p_original < 0 ? 1.0 : sources ? (1 - p_original) / double(sources) : 0.0;
  offer(source.caption(i), !weights.empty()             ? weights[0]
                           : p_original < 0 || !sources ? 1.0
                                                        : p_original);
  for (size_t s = 0; s < sources; ++s)
    if (const auto text = source.rewrite(s, i); !text.empty())
      offer(text, !weights.empty() ? weights[s + 1] : each);
  if (count == 0) return source.caption(i);

  Random random(seed, RandomUse::caption_choice, uint64_t(i), uint32_t(epoch));
  double at = double(random.uniform()) * std::accumulate(share, share + count, 0.0);
  size_t chosen = 0;
  while (chosen + 1 < count && (at -= share[chosen]) >= 0) ++chosen;
  const bool one_word = candidates[chosen].find(' ') == std::string_view::npos;
  return one_word ? source.caption(i) : candidates[chosen];
}

}  // namespace laclip

#include "apps/evaluate/features.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/progress.h"

namespace laclip {

constexpr int64_t kBlock = 128;  // images or texts encoded at once

ClipFeatures::ClipFeatures(const Clip& model, const ClipTokenizer& tokenizer, int threads)
    : model_(model), tokenizer_(tokenizer), threads_(threads), encoder_(model, kBlock) {}

std::vector<float> ClipFeatures::texts(const std::vector<std::string>& texts) {
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& text : texts)
    ids.push_back(tokenizer_.encode_for_clip(text, int(model_.config().context_length)));
  auto features = encoder_.encode_texts(ids);
  check_finite(features, texts);
  return features;
}

std::vector<float> ClipFeatures::classes(const ClassNames& names,
                                         const std::vector<std::string>& templates) {
  const auto E = size_t(width());
  std::vector<float> rows;
  for (const auto& synonyms : names.names) {
    std::vector<std::string> prompts;
    for (const std::string& name : synonyms)
      for (const std::string& text : templates) prompts.push_back(fill_template(text, name));
    const auto features = texts(prompts);
    std::vector<double> mean(E);
    for (size_t i = 0; i < features.size(); ++i) mean[i % E] += double(features[i]);
    double norm = 0;
    for (const double x : mean) norm += x * x;
    for (const double x : mean) rows.push_back(float(x / std::sqrt(norm)));
  }
  return rows;
}

void ClipFeatures::images(const std::vector<fs::path>& paths, FaultReport& faults,
                          const std::string& title, const Body& body) {
  const int64_t R = model_.config().image_size;
  const auto interpolation = parse_interpolation(model_.config().interpolation);
  Progress progress(title, "images", int64_t(paths.size()));
  for (size_t begin = 0; begin < paths.size(); begin += size_t(kBlock)) {
    const size_t count = std::min(size_t(kBlock), paths.size() - begin);
    const auto [which, pixels] =
        load_images(paths, begin, count, int(R), interpolation, threads_, faults);
    progress.update(int64_t(begin + count));
    if (which.empty()) continue;
    const auto features =
        encoder_.encode_images(tensor_of(pixels.data(), {int64_t(which.size()), R, R, 3}));
    std::vector<std::string> names;
    for (const size_t i : which) names.push_back(paths[i].string());
    check_finite(features, names);
    body(which, features);
  }
  check(faults.total() < int64_t(paths.size()), "no image is sound: {}", faults.text());
}

void ClipFeatures::check_finite(std::span<const float> features,
                                const std::vector<std::string>& of) const {
  for (size_t i = 0; i < features.size(); ++i)
    check(std::isfinite(features[i]),
          "the model's feature of '{}' is {}: its weights are damaged, or its training went "
          "astray; take an earlier checkpoint",
          of[i / size_t(width())], features[i]);
}

}  // namespace laclip

// The features of images and texts by a CLIP model: unit vectors, a row each.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/evaluation_sets.h"
#include "data/fault_report.h"
#include "models/clip_encoder.h"
#include "tokenizer/clip_bpe.h"

namespace laclip {

class ClipFeatures {
 public:
  ClipFeatures(const Clip& model, const ClipTokenizer& tokenizer, int threads);

  std::vector<float> texts(const std::vector<std::string>& texts);

  // For each class the unit mean of its prompts' features, over synonyms and templates.
  std::vector<float> classes(const ClassNames& names, const std::vector<std::string>& templates);

  // Hands the features of blocks of images to body(which of `paths`, features). Broken images are
  // left out and counted in `faults`; Error if none is sound. `title` names the work to people.
  using Body = std::function<void(const std::vector<size_t>&, std::span<const float>)>;
  void images(const std::vector<fs::path>& paths, FaultReport& faults, const std::string& title,
              const Body& body);

  int64_t width() const { return model_.config().embed; }

 private:
  // A model whose features are no numbers has no accuracy.
  void check_finite(std::span<const float> features, const std::vector<std::string>& of) const;

  const Clip& model_;
  const ClipTokenizer& tokenizer_;
  int threads_;
  ClipEncoder encoder_;
};

}  // namespace laclip

// A run's model, to look at images with.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "apps/report/sections.h"
#include "data/evaluation_sets.h"
#include "models/clip_encoder.h"
#include "tokenizer/clip_bpe.h"

namespace laclip {

class ReportModel {
 public:
  // Of `run`/checkpoints/latest.
  ReportModel(const fs::path& run, const ReportOptions& options);

  // Unit features, a row each.
  std::vector<float> images(const std::vector<fs::path>& paths);
  std::vector<float> texts(const std::vector<std::string>& texts);
  // For each class the unit mean of its prompts' features, over synonyms and templates.
  std::vector<float> classes(const ClassNames& names, const std::vector<std::string>& templates);

  size_t width() const { return size_t(model_->config().embed); }
  double scale() const;  // of the cosines, where a softmax is taken

 private:
  std::unique_ptr<ClipTokenizer> tokenizer_;
  std::unique_ptr<Clip> model_;
  std::unique_ptr<ClipEncoder> encoder_;
  int threads_;
};

double cosine(std::span<const float> a, std::span<const float> b);  // of unit vectors

}  // namespace laclip

// A run's model, to look at images with.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "apps/evaluate/features.h"
#include "apps/report/sections.h"

namespace laclip {

class ReportModel {
 public:
  // Of `run`/checkpoints/latest.
  ReportModel(const fs::path& run, const ReportOptions& options);

  std::vector<float> images(const std::vector<fs::path>& paths);  // a row each; all must be sound
  ClipFeatures& features() { return *features_; }

  size_t width() const { return size_t(features_->width()); }
  double scale() const;  // of the cosines, where a softmax is taken

 private:
  std::unique_ptr<ClipTokenizer> tokenizer_;
  std::unique_ptr<Clip> model_;
  std::unique_ptr<ClipFeatures> features_;
};

double cosine(std::span<const float> a, std::span<const float> b);  // of unit vectors

}  // namespace laclip

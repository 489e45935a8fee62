#include "apps/report/encode.h"

#include <cmath>

#include "apps/models.h"
#include "base/check.h"
#include "models/clip_checkpoint.h"

namespace laclip {

ReportModel::ReportModel(const fs::path& run, const ReportOptions& o) {
  const fs::path checkpoint = run / "checkpoints/latest";
  check(fs::exists(checkpoint), "{}: there is no such checkpoint, and the images asked for need it",
        checkpoint.string());
  tokenizer_ = open_clip_tokenizer(o.tokenizer);
  model_ = load_clip(checkpoint, parse_precision(o.precision));
  check_vocabulary(*model_, *tokenizer_, o.tokenizer);
  features_ = std::make_unique<ClipFeatures>(*model_, *tokenizer_, o.threads);
}

std::vector<float> ReportModel::images(const std::vector<fs::path>& paths) {
  std::vector<float> rows;
  FaultReport strict(true);  // a page about images needs all of them
  features_->images(paths, strict, "looking at images", [&](const auto&, const auto& block) {
    rows.insert(rows.end(), block.begin(), block.end());
  });
  return rows;
}

double ReportModel::scale() const { return std::exp(double(model_->logit_scale())); }

double cosine(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

}  // namespace laclip

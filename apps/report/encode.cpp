#include "apps/report/encode.h"

#include <algorithm>
#include <cmath>

#include "apps/models.h"
#include "base/check.h"
#include "base/progress.h"
#include "models/clip_checkpoint.h"

namespace laclip {

constexpr size_t kBlock = 128;  // images encoded at once

ReportModel::ReportModel(const fs::path& run, const ReportOptions& o) : threads_(o.threads) {
  const fs::path checkpoint = run / "checkpoints/latest";
  check(fs::exists(checkpoint), "{}: there is no such checkpoint, and the images asked for need it",
        checkpoint.string());
  tokenizer_ = open_clip_tokenizer(o.tokenizer);
  model_ = load_clip(checkpoint, parse_precision(o.precision));
  check_vocabulary(*model_, *tokenizer_, o.tokenizer);
  encoder_ = std::make_unique<ClipEncoder>(*model_, int64_t(kBlock));
}

std::vector<float> ReportModel::images(const std::vector<fs::path>& paths) {
  const int64_t R = model_->config().image_size;
  const auto interpolation = parse_interpolation(model_->config().interpolation);
  std::vector<float> features;
  FaultReport strict(true);  // a page about images needs all of them
  Progress progress("looking at images", "images", int64_t(paths.size()));
  for (size_t begin = 0; begin < paths.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, paths.size() - begin);
    const auto loaded = load_images(paths, begin, count, int(R), interpolation, threads_, strict);
    const auto block =
        encoder_->encode_images(tensor_of(loaded.pixels.data(), {int64_t(count), R, R, 3}));
    features.insert(features.end(), block.begin(), block.end());
    progress.update(int64_t(begin + count));
  }
  return features;
}

std::vector<float> ReportModel::texts(const std::vector<std::string>& texts) {
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& text : texts)
    ids.push_back(tokenizer_->encode_for_clip(text, int(model_->config().context_length)));
  return encoder_->encode_texts(ids);
}

std::vector<float> ReportModel::classes(const ClassNames& names,
                                        const std::vector<std::string>& templates) {
  std::vector<float> rows;
  for (const auto& synonyms : names.names) {
    std::vector<std::string> prompts;
    for (const std::string& name : synonyms)
      for (const std::string& text : templates) prompts.push_back(fill_template(text, name));
    const auto features = texts(prompts);
    std::vector<double> mean(width());
    for (size_t i = 0; i < features.size(); ++i) mean[i % width()] += double(features[i]);
    double norm = 0;
    for (const double x : mean) norm += x * x;
    for (const double x : mean) rows.push_back(float(x / std::sqrt(norm)));
  }
  return rows;
}

double ReportModel::scale() const { return std::exp(double(model_->logit_scale())); }

double cosine(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

}  // namespace laclip

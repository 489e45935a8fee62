#include "apps/evaluate/evaluation.h"

#include <algorithm>

#include "apps/evaluate/features.h"
#include "apps/evaluate/ranking.h"
#include "base/check.h"
#include "base/log.h"
#include "kernels/ops/linear.h"

namespace laclip {
namespace {

class Evaluator {
 public:
  Evaluator(const Clip& model, const ClipTokenizer& tokenizer, int threads, bool strict)
      : features_(model, tokenizer, threads), strict_(strict) {}

  Json classify(const EvaluationSets& sets);
  Json retrieve(const EvaluationSets& sets);

 private:
  // Returns how many images were left out, by reason.
  Json for_each_block(const std::vector<fs::path>& paths, const ClipFeatures::Body& body) {
    FaultReport faults(strict_);
    features_.images(paths, faults, "evaluating", body);
    if (!faults.empty()) log_warning("images left out of the evaluation: {}", faults.text());
    return faults.counts();
  }

  ClipFeatures features_;
  bool strict_;
};

Json Evaluator::classify(const EvaluationSets& sets) {
  ImageFolder folder = read_image_folder(sets.images);
  const ClassNames names = read_class_names(sets.classnames);
  const auto classes = match_classes(folder, names, sets.classnames);
  const auto templates = sets.templates.empty() ? std::vector<std::string>{"a photo of a {}."}
                                                : read_templates(sets.templates);
  std::vector<fs::path> paths;
  std::vector<int32_t> labels;
  const auto total = int64_t(folder.images.size());
  const int64_t wanted = sets.limit > 0 ? std::min(sets.limit, total) : total;
  for (int64_t i = 0; i < wanted; ++i) {
    const auto at = size_t(i * total / wanted);
    paths.push_back(folder.images[at]);
    labels.push_back(classes[size_t(folder.labels[at])]);
  }
  const int64_t E = features_.width(), C = int64_t(names.names.size());
  const auto weights = features_.classes(names, templates);
  ClassificationCounter counter(C);
  Stream stream;
  using Places = std::vector<size_t>;
  const Json left_out = for_each_block(paths, [&](const Places& which, const auto& features) {
    const auto count = int64_t(which.size());
    std::vector<float> scores(size_t(count * C));
    linear_forward(stream, tensor_of(scores.data(), {count, C}),
                   tensor_of(features.data(), {count, E}), tensor_of(weights.data(), {C, E}), none,
                   none);
    for (int64_t i = 0; i < count; ++i)
      counter.add(std::span(scores).subspan(size_t(i * C), size_t(C)), labels[which[size_t(i)]]);
  });
  Json result = counter.result();
  result["images"] = counter.images();
  result["classes"] = C;
  result["templates"] = templates.size();
  if (!left_out.empty()) result["images_left_out"] = left_out;
  return result;
}

Json Evaluator::retrieve(const EvaluationSets& sets) {
  const RetrievalPairs pairs = read_retrieval_pairs(sets.pairs);
  std::vector<float> images;
  std::vector<int32_t> row_of(pairs.images.size(), -1);  // of each image among the sound ones
  int32_t sound = 0;
  using Places = std::vector<size_t>;
  const Json left_out = for_each_block(pairs.images, [&](const Places& which, const auto& block) {
    for (size_t i : which) row_of[i] = sound++;
    images.insert(images.end(), block.begin(), block.end());
  });
  std::vector<std::string> texts;
  std::vector<int32_t> row_of_text;
  for (size_t t = 0; t < pairs.texts.size(); ++t) {
    const int32_t row = row_of[size_t(pairs.image_of_text[t])];
    if (row < 0) continue;
    texts.push_back(pairs.texts[t]);
    row_of_text.push_back(row);
  }
  Json result =
      retrieval_recall(images, features_.texts(texts), features_.width(), row_of_text).result();
  result["images"] = sound;
  result["texts"] = texts.size();
  if (!left_out.empty()) result["images_left_out"] = left_out;
  return result;
}

}  // namespace

void check_sets(const EvaluationSets& sets) {
  if (!sets.images.empty()) {
    match_classes(read_image_folder(sets.images), read_class_names(sets.classnames),
                  sets.classnames);
    if (!sets.templates.empty()) read_templates(sets.templates);
  }
  if (!sets.pairs.empty()) read_retrieval_pairs(sets.pairs);
}

Json evaluate_model(const Clip& model, const ClipTokenizer& tokenizer, const EvaluationSets& sets,
                    int threads) {
  Evaluator evaluator(model, tokenizer, threads, sets.strict);
  Json result = Json::object();
  if (!sets.images.empty()) result["zeroshot_classification"] = evaluator.classify(sets);
  if (!sets.pairs.empty()) result["zeroshot_retrieval"] = evaluator.retrieve(sets);
  return result;
}

}  // namespace laclip

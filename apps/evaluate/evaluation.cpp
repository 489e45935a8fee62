#include "apps/evaluate/evaluation.h"

#include <algorithm>
#include <cmath>

#include "apps/evaluate/ranking.h"
#include "base/check.h"
#include "base/log.h"
#include "base/progress.h"
#include "data/evaluation_sets.h"
#include "kernels/ops/linear.h"

namespace laclip {
namespace {

constexpr int64_t kBlock = 128;  // images or texts encoded at once

class Evaluator {
 public:
  Evaluator(const Clip& model, const ClipTokenizer& tokenizer, int threads, bool strict)
      : model_(model),
        tokenizer_(tokenizer),
        threads_(threads),
        strict_(strict),
        encoder_(model, kBlock) {}

  std::vector<float> encode_texts(const std::vector<std::string>& texts) {
    std::vector<std::vector<int32_t>> ids;
    for (const std::string& text : texts)
      ids.push_back(tokenizer_.encode_for_clip(text, int(model_.config().context_length)));
    auto features = encoder_.encode_texts(ids);
    check_finite(features, texts);
    return features;
  }

  // Calls body(which of the images, features[which E]) for blocks of those that are sound; returns
  // how many were left out, by reason.
  template <class Body>
  Json for_each_block(const std::vector<fs::path>& paths, Body&& body) {
    const int64_t R = model_.config().image_size;
    const auto interpolation = parse_interpolation(model_.config().interpolation);
    FaultReport faults(strict_);
    Progress progress("evaluating", "images", int64_t(paths.size()));
    for (size_t begin = 0; begin < paths.size(); begin += size_t(kBlock)) {
      const size_t count = std::min(size_t(kBlock), paths.size() - begin);
      const auto [which, pixels] =
          load_images(paths, begin, count, int(R), interpolation, threads_, faults);
      progress.update(int64_t(begin + count));
      if (which.empty()) continue;
      const auto features =
          encoder_.encode_images(tensor_of(pixels.data(), {int64_t(which.size()), R, R, 3}));
      std::vector<std::string> names;
      for (size_t i : which) names.push_back(paths[i].string());
      check_finite(features, names);
      body(which, features);
    }
    check(faults.total() < int64_t(paths.size()), "no image is sound: {}", faults.text());
    if (!faults.empty()) log_warning("images left out of the evaluation: {}", faults.text());
    return faults.counts();
  }

  Json classify(const EvaluationSets& sets);
  Json retrieve(const EvaluationSets& sets);

 private:
  // A model whose features are no numbers has no accuracy.
  void check_finite(const std::vector<float>& features, const std::vector<std::string>& of) const {
    for (size_t i = 0; i < features.size(); ++i)
      check(std::isfinite(features[i]),
            "the model's feature of '{}' is {}: its weights are damaged, or its training went "
            "astray; take an earlier checkpoint",
            of[i / size_t(model_.config().embed)], features[i]);
  }

  // One unit vector a class: the mean of its prompts' features, over synonyms and templates.
  std::vector<float> class_weights(const ClassNames& names,
                                   const std::vector<std::string>& templates);

  const Clip& model_;
  const ClipTokenizer& tokenizer_;
  int threads_;
  bool strict_;
  ClipEncoder encoder_;
};

std::vector<float> Evaluator::class_weights(const ClassNames& names,
                                            const std::vector<std::string>& templates) {
  const auto E = size_t(model_.config().embed);
  std::vector<float> weights;
  for (const auto& synonyms : names.names) {
    std::vector<std::string> prompts;
    for (const std::string& name : synonyms)
      for (const std::string& text : templates) prompts.push_back(fill_template(text, name));
    const auto features = encode_texts(prompts);
    std::vector<double> mean(E);
    for (size_t i = 0; i < features.size(); ++i) mean[i % E] += double(features[i]);
    double norm = 0;
    for (double x : mean) norm += x * x;
    for (double x : mean) weights.push_back(float(x / std::sqrt(norm)));
  }
  return weights;
}

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
  const auto E = model_.config().embed, C = int64_t(names.names.size());
  const auto weights = class_weights(names, templates);
  ClassificationCounter counter(C);
  Stream stream;
  using Places = std::vector<size_t>;
  const Json left_out = for_each_block(paths, [&](const Places& which, const auto& features) {
    const auto count = int64_t(which.size());
    std::vector<float> scores(size_t(count * C));
    linear_forward(stream, tensor_of(scores.data(), {count, C}),
                   tensor_of(features.data(), {count, E}), tensor_of(weights.data(), {C, E}), none);
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
      retrieval_recall(images, encode_texts(texts), model_.config().embed, row_of_text).result();
  result["images"] = sound;
  result["texts"] = texts.size();
  if (!left_out.empty()) result["images_left_out"] = left_out;
  return result;
}

}  // namespace

Json evaluate_model(const Clip& model, const ClipTokenizer& tokenizer, const EvaluationSets& sets,
                    int threads) {
  Evaluator evaluator(model, tokenizer, threads, sets.strict);
  Json result = Json::object();
  if (!sets.images.empty()) result["zeroshot_classification"] = evaluator.classify(sets);
  if (!sets.pairs.empty()) result["zeroshot_retrieval"] = evaluator.retrieve(sets);
  return result;
}

}  // namespace laclip

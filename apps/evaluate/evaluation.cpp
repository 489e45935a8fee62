#include "apps/evaluate/evaluation.h"

#include <algorithm>
#include <cmath>

#include "apps/evaluate/ranking.h"
#include "base/check.h"
#include "base/progress.h"
#include "data/evaluation_sets.h"
#include "kernels/ops/linear.h"

namespace laclip {
namespace {

constexpr int64_t kBlock = 128;  // images or texts encoded at once

class Evaluator {
 public:
  Evaluator(const Clip& model, const ClipTokenizer& tokenizer, int threads)
      : model_(model), tokenizer_(tokenizer), threads_(threads), encoder_(model, kBlock) {}

  std::vector<float> encode_texts(const std::vector<std::string>& texts) {
    std::vector<std::vector<int32_t>> ids;
    for (const std::string& text : texts)
      ids.push_back(tokenizer_.encode_for_clip(text, int(model_.config().context_length)));
    return encoder_.encode_texts(ids);
  }

  // Calls body(index of the first, features[count E]) for blocks of the images.
  template <class Body>
  void for_each_block(const std::vector<fs::path>& paths, Body&& body) {
    const int64_t R = model_.config().image_size;
    const auto interpolation = parse_interpolation(model_.config().interpolation);
    Progress progress("evaluating", "images", int64_t(paths.size()));
    for (size_t begin = 0; begin < paths.size(); begin += size_t(kBlock)) {
      const size_t count = std::min(size_t(kBlock), paths.size() - begin);
      const auto pixels = load_images(paths, begin, count, int(R), interpolation, threads_);
      body(begin, encoder_.encode_images(tensor_of(pixels.data(), {int64_t(count), R, R, 3})));
      progress.update(int64_t(begin + count));
    }
  }

  Json classify(const EvaluationSets& sets);
  Json retrieve(const EvaluationSets& sets);

 private:
  // One unit vector a class: the mean of its prompts' features, over synonyms and templates.
  std::vector<float> class_weights(const ClassNames& names,
                                   const std::vector<std::string>& templates);

  const Clip& model_;
  const ClipTokenizer& tokenizer_;
  int threads_;
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
  int64_t unknown = 0;
  const auto total = int64_t(folder.images.size());
  const int64_t wanted = sets.limit > 0 ? std::min(sets.limit, total) : total;
  for (int64_t i = 0; i < wanted; ++i) {
    const auto at = size_t(i * total / wanted);
    const int32_t label = classes[size_t(folder.labels[at])];
    unknown += label < 0;
    if (label < 0) continue;
    paths.push_back(folder.images[at]);
    labels.push_back(label);
  }
  const auto E = model_.config().embed, C = int64_t(names.names.size());
  const auto weights = class_weights(names, templates);
  ClassificationCounter counter(C);
  Stream stream;
  for_each_block(paths, [&](size_t begin, const std::vector<float>& features) {
    const int64_t count = int64_t(features.size()) / E;
    std::vector<float> scores(size_t(count * C));
    linear_forward(stream, tensor_of(scores.data(), {count, C}),
                   tensor_of(features.data(), {count, E}), tensor_of(weights.data(), {C, E}), none);
    for (int64_t i = 0; i < count; ++i)
      counter.add(std::span(scores).subspan(size_t(i * C), size_t(C)), labels[begin + size_t(i)]);
  });
  Json result = counter.result();
  result["images"] = paths.size();
  result["classes"] = C;
  result["templates"] = templates.size();
  if (unknown > 0) result["images_of_unknown_classes"] = unknown;
  return result;
}

Json Evaluator::retrieve(const EvaluationSets& sets) {
  const RetrievalPairs pairs = read_retrieval_pairs(sets.pairs);
  std::vector<float> images;
  for_each_block(pairs.images, [&](size_t, const std::vector<float>& features) {
    images.insert(images.end(), features.begin(), features.end());
  });
  const auto texts = encode_texts(pairs.texts);
  Json result =
      retrieval_recall(images, texts, model_.config().embed, pairs.image_of_text).result();
  result["images"] = pairs.images.size();
  result["texts"] = pairs.texts.size();
  return result;
}

}  // namespace

Json evaluate_model(const Clip& model, const ClipTokenizer& tokenizer, const EvaluationSets& sets,
                    int threads) {
  Evaluator evaluator(model, tokenizer, threads);
  Json result = Json::object();
  if (!sets.images.empty()) result["zeroshot_classification"] = evaluator.classify(sets);
  if (!sets.pairs.empty()) result["zeroshot_retrieval"] = evaluator.retrieve(sets);
  return result;
}

}  // namespace laclip

// What the models see: nearest images to queries, best and worst predictions.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "apps/report/encode.h"
#include "apps/report/sections.h"
#include "apps/report/thumbnail.h"
#include "base/check.h"

namespace laclip {
namespace {

constexpr size_t kNearest = 5, kPredictions = 8;

std::string thumbnail_of(const fs::path& path) {
  return thumbnail(read_bytes(path), path.string());
}

std::vector<std::string> queries_of(const ReportOptions& o) {
  std::vector<std::string> queries = o.queries;
  if (!o.query_file.empty())
    for (const std::string& line : read_lines(o.query_file))
      if (!line.empty()) queries.push_back(line);
  return queries;
}

// For each query the indices of the nearest images.
std::vector<std::vector<size_t>> nearest_images(const fs::path& run, const ReportOptions& o,
                                                const std::vector<fs::path>& paths,
                                                const std::vector<std::string>& queries) {
  ReportModel model(run, o);
  const auto images = model.images(paths), texts = model.features().texts(queries);
  const size_t E = model.width();
  const auto row = [E](const std::vector<float>& of, size_t i) {
    return std::span(of).subspan(i * E, E);
  };
  std::vector<std::vector<size_t>> nearest;
  for (size_t q = 0; q < queries.size(); ++q) {
    std::vector<double> scores;
    for (size_t i = 0; i < paths.size(); ++i)
      scores.push_back(cosine(row(texts, q), row(images, i)));
    std::vector<size_t> order(paths.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    order.resize(std::min(kNearest, order.size()));
    nearest.push_back(std::move(order));
  }
  return nearest;
}

struct Prediction {
  fs::path image;
  int32_t right = 0, predicted = 0;
  double confidence = 0;  // the share of the predicted class
};

std::vector<Prediction> predict(const RunData& run, const ReportOptions& o,
                                const ClassNames& names) {
  const ImageFolder folder = read_image_folder(o.images);
  const auto classes = match_classes(folder, names, o.classnames);
  const auto templates = o.templates.empty() ? std::vector<std::string>{"a photo of a {}."}
                                             : read_templates(o.templates);
  std::vector<Prediction> predictions;
  std::vector<fs::path> paths;
  const size_t total = folder.images.size(),
               wanted = o.limit > 0 ? std::min(size_t(o.limit), total) : total;
  for (size_t i = 0; i < wanted; ++i) {
    const size_t at = i * total / wanted;
    const int32_t label = classes[size_t(folder.labels[at])];
    predictions.push_back({folder.images[at], label, 0, 0});
    paths.push_back(folder.images[at]);
  }
  ReportModel model(run.folder, o);
  const auto weights = model.features().classes(names, templates), features = model.images(paths);
  const size_t E = model.width(), C = names.names.size();
  for (size_t i = 0; i < predictions.size(); ++i) {
    std::vector<double> scores;
    for (size_t c = 0; c < C; ++c)
      scores.push_back(model.scale() * cosine(std::span(features).subspan(i * E, E),
                                              std::span(weights).subspan(c * E, E)));
    const auto best = std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (const double score : scores) sum += std::exp(score - *best);
    predictions[i].predicted = int32_t(best - scores.begin());
    predictions[i].confidence = 1 / sum;
  }
  std::stable_sort(predictions.begin(), predictions.end(),
                   [](auto& a, auto& b) { return a.confidence > b.confidence; });
  return predictions;
}

void show_predictions(Html& html, const std::string& heading, const std::vector<Prediction>& all,
                      const ClassNames& names, bool right) {
  html.element("h3", heading);
  std::set<std::pair<int32_t, int32_t>> seen;  // one picture for each pair of classes
  html.nest("div", {{"class", "pictures"}}, [&] {
    for (const Prediction& p : all) {
      if ((p.right == p.predicted) != right || seen.size() == kPredictions) continue;
      if (!seen.emplace(p.right, p.predicted).second) continue;
      const std::string &name = names.names[size_t(p.right)][0],
                        &predicted = names.names[size_t(p.predicted)][0];
      html.nest("figure", {}, [&] {
        html.empty("img", {{"src", thumbnail_of(p.image)}, {"alt", name}});
        html.nest("figcaption", {}, [&] {
          html.element("b", predicted);
          html.text(fmt::format(" {:.0f}\u00A0%", 100 * p.confidence));
          if (!right) html.element("small", "is " + name);
        });
      });
    }
    if (seen.empty()) html.element("p", "None.");
  });
}

}  // namespace

void queries_section(Html& html, const std::vector<RunData>& runs, const ReportOptions& o) {
  const auto queries = queries_of(o);
  if (queries.empty() && o.pairs.empty()) return;
  if (queries.empty()) fail_usage("--pairs needs --query or --queries");
  if (o.pairs.empty()) fail_usage("--query and --queries need --pairs, for the images");
  if (o.tokenizer.empty()) fail_usage("--query and --queries need --tokenizer");
  const RetrievalPairs pairs = read_retrieval_pairs(o.pairs);
  std::vector<std::string> captions(pairs.images.size());  // the first of each image
  for (size_t t = pairs.texts.size(); t-- > 0;)
    captions[size_t(pairs.image_of_text[t])] = pairs.texts[t];
  std::vector<const RunData*> shown{&runs.front()};
  if (runs.size() > 1) shown.push_back(&runs.back());
  std::vector<std::vector<std::vector<size_t>>> nearest;  // [run][query]
  for (const RunData* run : shown)
    nearest.push_back(nearest_images(run->folder, o, pairs.images, queries));

  section(html, "Nearest images", [&] {
    html.element("p",
                 fmt::format("The {} images that lie nearest to a typed text, the nearest first, "
                             "among {}.",
                             kNearest, pairs.images.size()),
                 {{"class", "note"}});
    for (size_t q = 0; q < queries.size(); ++q)
      html.nest("div", {{"class", "query"}}, [&] {
        html.element("h3", "“" + queries[q] + "”");
        html.nest("div", {{"class", "sides"}}, [&] {
          for (size_t r = 0; r < shown.size(); ++r)
            html.nest("div", {}, [&] {
              html.element("p", shown[r]->name, {{"class", "side"}});
              html.nest("div", {{"class", "strip"}}, [&] {
                for (const size_t image : nearest[r][q])
                  html.empty("img", {{"src", thumbnail_of(pairs.images[image])},
                                     {"alt", captions[image]}});
              });
            });
        });
      });
  });
}

void predictions_section(Html& html, const RunData& run, const ReportOptions& o) {
  if (o.images.empty()) return;
  if (o.classnames.empty()) fail_usage("--images needs --classnames");
  if (o.tokenizer.empty()) fail_usage("--images needs --tokenizer");
  const ClassNames names = read_class_names(o.classnames);
  const auto predictions = predict(run, o, names);
  const auto right = std::count_if(predictions.begin(), predictions.end(),
                                   [](auto& p) { return p.predicted == p.right; });
  section(html, "Best and worst predictions", [&] {
    html.element("p",
                 fmt::format("Of {}: {} of {} images are named rightly. Below, those it was surest "
                             "about (the share of the predicted class in a softmax over {} "
                             "classes), at most one for each pair of classes.",
                             run.name, right, predictions.size(), names.names.size()),
                 {{"class", "note"}});
    show_predictions(html, "Sure and right", predictions, names, true);
    show_predictions(html, "Sure and wrong", predictions, names, false);
  });
}

}  // namespace laclip

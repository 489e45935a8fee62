#include "apps/train/validation.h"

#include "base/check.h"

namespace laclip {

Validation::Validation(const TrainOptions& o) : workers_(o.workers) {
  sets_.images = o.val_images;
  sets_.classnames = o.classnames;
  sets_.templates = o.templates;
  sets_.pairs = o.val_pairs;
  sets_.strict = o.strict;
  if (!sets_.images.empty() && sets_.classnames.empty())
    fail_usage("--val-images needs --classnames");
  check_sets(sets_);
}

MetricValues Validation::run(const Clip& model, const ClipTokenizer& tokenizer) const {
  MetricValues values;
  const Json result = evaluate_model(model, tokenizer, sets_, workers_);
  for (const auto& [task, metrics] : result.items())
    for (const auto& [name, value] : metrics.items())
      if (value.is_number_float()) values.emplace_back(name, value.get<double>());
  return values;
}

}  // namespace laclip

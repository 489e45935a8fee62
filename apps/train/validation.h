// Evaluation during training. What it reads is read and matched at the start, so that a wrong path
// or class list shows before the first step and not hours later.
#pragma once

#include "apps/evaluate/evaluation.h"
#include "apps/train/metrics.h"
#include "apps/train/options.h"

namespace laclip {

class Validation {
 public:
  explicit Validation(const TrainOptions& options);  // the errors of `laclip evaluate`

  bool wanted() const { return !sets_.images.empty() || !sets_.pairs.empty(); }
  MetricValues run(const Clip& model, const ClipTokenizer& tokenizer) const;

 private:
  EvaluationSets sets_;
  int workers_;
};

}  // namespace laclip

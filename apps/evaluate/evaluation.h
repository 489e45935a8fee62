// The evaluations of a CLIP model, used by `laclip evaluate` and during training.
#pragma once

#include <string>

#include "base/json.h"
#include "models/clip_encoder.h"
#include "tokenizer/clip_bpe.h"

namespace laclip {

struct EvaluationSets {
  std::string images, classnames, templates;  // zero-shot classification; "" = none
  std::string pairs;                          // retrieval; "" = none
  int64_t limit = 0;                          // images at most, spread evenly (0 = all)
  bool strict = false;                        // stop at the first broken image
};

// Reads and matches what the sets name, but for the images: a wrong path or class list shows before
// hours of work.
void check_sets(const EvaluationSets& sets);

// Broken images are left out, counted in the result ("images_left_out") and told in a warning.
//
// {"zeroshot_classification": {"acc1", …}} and {"zeroshot_retrieval": {"image_to_text_R@1", …}}, as
// far as asked for.
Json evaluate_model(const Clip& model, const ClipTokenizer& tokenizer, const EvaluationSets& sets,
                    int threads);

}  // namespace laclip

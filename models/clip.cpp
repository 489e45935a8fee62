#include "models/clip.h"

#include <cmath>

#include "kernels/ops/elementwise.h"

namespace laclip {

Clip::Clip(ClipConfig config, DType dtype, Training training, std::optional<uint64_t> seed,
           Device device)
    : config_(std::move(config)), dtype_(dtype) {
  visual_ = Vit::declare(parameters_, config_);
  text_ = TextTransformer::declare(parameters_, config_);
  const float start =
      json_field<float>(config_.json, "init_logit_scale", "config", float(std::log(1 / 0.07)));
  logit_scale_ = &parameters_.add("logit_scale", {}, Decay::no, Constant{start}, true);
  parameters_.allocate(dtype, training, device);
  if (seed) parameters_.initialize(*seed);
}

void Clip::encode_images(Step& step, In images, Out features, SavedImages* saved) const {
  const int64_t mark = step.arena.mark();
  const Tensor raw = step.tensor({images[0], config_.embed});
  visual_.forward(step, images, raw, saved ? &saved->tower : nullptr);
  const SavedFeature feature = normalize(step, raw, features);
  if (saved)
    saved->feature = feature;
  else
    step.arena.release(mark);
}

void Clip::encode_texts(Step& step, const TextRows& texts, Out features, SavedTexts* saved) const {
  const int64_t mark = step.arena.mark();
  const Tensor raw = step.tensor({texts.ends[0], config_.embed});
  text_.forward(step, texts, raw, saved ? &saved->tower : nullptr);
  const SavedFeature feature = normalize(step, raw, features);
  if (saved)
    saved->feature = feature;
  else
    step.arena.release(mark);
}

void Clip::backward_images(Step& step, const SavedImages& saved, In dfeatures) const {
  const ArenaScope scope(step.arena);
  visual_.backward(step, saved.tower, backward_normalize(step, saved.feature, dfeatures));
}

void Clip::backward_texts(Step& step, const SavedTexts& saved, In dfeatures) const {
  const ArenaScope scope(step.arena);
  text_.backward(step, saved.tower, backward_normalize(step, saved.feature, dfeatures));
}

Clip::SavedFeature Clip::normalize(Step& step, Tensor raw, Out features) const {
  const bool direct = features.dtype == raw.dtype;
  const SavedFeature saved{direct ? features.tensor() : step.tensor(raw.shape),
                           step.statistics({raw[0]})};
  l2_normalize_forward(step.stream, saved.unit, saved.norm, raw);
  const int64_t count = raw.elements();
  if (!direct) convert(step.stream, features.view({count}), saved.unit.view({count}));
  return saved;
}

Tensor Clip::backward_normalize(Step& step, const SavedFeature& saved, In dfeatures) const {
  const int64_t count = dfeatures.elements();
  const Tensor dunit = step.tensor(saved.unit.shape), draw = step.tensor(saved.unit.shape);
  convert(step.stream, dunit.view({count}), dfeatures.tensor().view({count}));
  l2_normalize_backward(step.stream, draw, dunit, saved.unit, saved.norm);
  return draw;
}

void Clip::clamp_logit_scale(Stream& stream) {
  clamp(stream, logit_scale_->master.view({1}), {0.0f, float(std::log(100.0))});
}

}  // namespace laclip

#include "models/clip_trainer.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/ops/contrastive.h"

namespace laclip {

ClipTrainer::ClipTrainer(Clip& model, int64_t batch, int64_t micro_batch)
    : model_(model),
      batch_(batch),
      micro_batch_(micro_batch),
      embed_(model.config().embed),
      stream_(model.device()),
      upload_("images", image_bytes(model.config(), batch), model.device()),
      features_("features", 2 * batch * embed_ * size_of(model.dtype()), model.device()),
      dfeatures_("gradients of features", 4 * (2 * batch * embed_ + 2 * batch + 1), model.device()),
      activation_bytes_(laclip::activation_bytes(model, std::min(batch, micro_batch))),
      arena_("activations", activation_bytes_, model.device()) {
  check(batch > 0 && micro_batch > 0, "a batch of {} in micro-batches of {} is not possible", batch,
        micro_batch);
}

int64_t image_bytes(const ClipConfig& config, int64_t batch) {
  return batch * config.image_size * config.image_size * 3;
}

int64_t feature_bytes(const Clip& model, int64_t batch) {
  const int64_t both = 2 * batch * model.config().embed;
  return both * size_of(model.dtype()) + 4 * (both + 2 * batch + 1);
}

int64_t activation_bytes(const Clip& model, int64_t pairs) {
  const ClipConfig& c = model.config();
  Arena arena(model.device());
  Stream stream(model.device());
  stream.dry_run = true;
  Step step{stream, arena, model.dtype()};
  const Tensor images{reinterpret_cast<void*>(1),
                      {pairs, c.image_size, c.image_size, 3},
                      DType::u8,
                      model.device()};
  Arena beside(model.device());
  const Tensor features = beside.tensor({pairs, c.embed}, model.dtype()),
               dfeatures = beside.tensor({pairs, c.embed}, DType::f32);
  TextBatch texts;
  const std::vector<int32_t> longest(size_t(c.context_length), 0);
  for (int64_t i = 0; i < pairs; ++i) texts.add(longest);
  Clip::SavedImages saved_images;
  Clip::SavedTexts saved_texts;
  model.encode_images(step, images, features, &saved_images);
  model.encode_texts(step, texts, features, &saved_texts);
  model.backward_images(step, saved_images, dfeatures);
  model.backward_texts(step, saved_texts, dfeatures);
  return arena.high_water();
}

std::vector<ClipTrainer::Micro> ClipTrainer::split(Tensor images, const ClipBatch& batch) const {
  const int64_t B = images[0];
  check(B == int64_t(batch.captions.size()), "{} images but {} captions", B, batch.captions.size());
  check(B <= batch_, "a batch of {} where at most {} were planned", B, batch_);
  std::vector<Micro> parts;
  for (int64_t begin = 0; begin < B; begin += micro_batch_) {
    const int64_t count = std::min(micro_batch_, B - begin);
    Micro micro;
    micro.images = images.rows(begin, count);
    for (int64_t i = 0; i < count; ++i) micro.texts.add(batch.captions[size_t(begin + i)]);
    micro.image_features = features(0).rows(begin, count);
    micro.text_features = features(1).rows(begin, count);
    micro.dimage_features = dfeatures(0).rows(begin, count);
    micro.dtext_features = dfeatures(1).rows(begin, count);
    parts.push_back(std::move(micro));
  }
  return parts;
}

Tensor ClipTrainer::features(int64_t side) const {
  const int64_t bytes = batch_ * embed_ * size_of(model_.dtype());
  return features_.tensor({batch_, embed_}, model_.dtype(), side * bytes);
}
Tensor ClipTrainer::dfeatures(int64_t side) const {
  return dfeatures_.tensor({batch_, embed_}, DType::f32, 4 * side * batch_ * embed_);
}

Tensor ClipTrainer::loss(int64_t B) {
  const auto behind = [&](int64_t count, int64_t at) {
    return dfeatures_.tensor({count}, DType::f32, 4 * (2 * batch_ * embed_ + at));
  };
  const Tensor image = features(0).rows(0, B), text = features(1).rows(0, B);
  const Tensor lse_image = behind(B, 0), lse_text = behind(B, batch_),
               value = behind(1, 2 * batch_);
  const Parameter& scale = model_.logit_scale_parameter();
  contrastive_forward(stream_, value, lse_image, lse_text, image, text, scale.master.view({1}));
  contrastive_backward(stream_, dfeatures(0).rows(0, B), dfeatures(1).rows(0, B),
                       scale.gradient.view({1}), image, text, scale.master.view({1}), lse_image,
                       lse_text);
  return value;
}

Gradients ClipTrainer::compute_gradients(const ClipBatch& batch,
                                         const std::function<void()>& meanwhile) {
  std::vector<Micro> parts = split(upload_.begin(batch.images), batch);
  upload_.arrive(stream_);
  const ArenaScope scope(arena_);
  Step step{stream_, arena_, model_.dtype()};
  model_.parameters().zero_gradients(stream_);

  const bool keep = parts.size() == 1;
  Clip::SavedImages images;
  Clip::SavedTexts texts;
  for (Micro& micro : parts) {
    model_.encode_images(step, micro.images, micro.image_features, keep ? &images : nullptr);
    model_.encode_texts(step, micro.texts, micro.text_features, keep ? &texts : nullptr);
  }
  const Tensor loss_on_device = loss(batch.images[0]);
  for (Micro& micro : parts) {
    const ArenaScope micro_scope(arena_);
    if (!keep) {
      model_.encode_images(step, micro.images, micro.image_features, &images);
      model_.encode_texts(step, micro.texts, micro.text_features, &texts);
    }
    model_.backward_images(step, images, micro.dimage_features);
    model_.backward_texts(step, texts, micro.dtext_features);
  }
  return finish_gradients(stream_, model_.parameters(), loss_on_device, meanwhile);
}

void ClipTrainer::apply(const OptimizerOptions& options, double lr, int64_t step) {
  optimizer_step(stream_, model_.parameters(), options, lr, step);
  model_.clamp_logit_scale(stream_);
}

}  // namespace laclip

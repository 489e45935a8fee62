#include "models/clip_trainer.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/ops/contrastive.h"
#include "kernels/ops/image.h"

namespace laclip {

ClipTrainer::ClipTrainer(Clip& model, int64_t batch, int64_t micro_batch)
    : model_(model),
      batch_(batch),
      micro_batch_(micro_batch),
      embed_(model.config().embed),
      stream_(model.device()),
      upload_("images", image_bytes(model.config(), batch), model.device()),
      images_("images", model.device() == Device::cuda ? image_bytes(model.config(), batch) : 0,
              model.device()),
      features_("features", 2 * batch * embed_ * size_of(model.dtype()), model.device()),
      dfeatures_("gradients of features", 4 * (2 * batch * embed_ + 2 * batch + 1), model.device()),
      activation_bytes_(laclip::activation_bytes(model, std::min(batch, micro_batch))),
      arena_("activations", activation_bytes_, model.device()),
      graphs_(stream_) {
  check(batch > 0 && micro_batch > 0, "a batch of {} in micro-batches of {} is not possible", batch,
        micro_batch);
}

namespace {

// As `pairs` of captions give it to the ops.
void fill_up(TextBatch& texts, const Clip& model, int64_t pairs) {
  const int64_t longest = model.config().context_length;
  if (model.device() == Device::cuda) texts.fill_up(longest, pairs * longest);
}

}  // namespace

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
  fill_up(texts, model, pairs);
  const TextRows rows = texts.on_device(step);
  Clip::SavedImages saved_images;
  Clip::SavedTexts saved_texts;
  model.encode_images(step, images, features, &saved_images);
  model.encode_texts(step, rows, features, &saved_texts);
  model.backward_images(step, saved_images, dfeatures);
  model.backward_texts(step, saved_texts, dfeatures);
  return arena.high_water();
}

CropTensors ClipTrainer::upload(std::span<const DecodedCrop> crops) {
  const CropLayout layout(crops);
  return layout.tensors(upload_.begin(layout.bytes(), [&](std::byte* to) { layout.write(to); }));
}

Tensor ClipTrainer::images_of(const ClipBatch& batch) {
  if (!batch.crops) {
    const Tensor images = upload_.begin(batch.images);
    upload_.arrive(stream_);
    return images;
  }
  upload_.arrive(stream_);
  const int64_t B = batch.crops->crops[0], R = model_.config().image_size;
  check(B <= batch_, "a batch of {} where at most {} were planned", B, batch_);
  const Tensor images = images_.tensor({B, R, R, 3}, DType::u8);
  resize_crops(stream_, images, batch.crops->pixels, batch.crops->crops, batch.crops->taps);
  return images;
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
    fill_up(micro.texts, model_, std::min(batch_, micro_batch_));
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

Tensor ClipTrainer::loss_value() const {
  return dfeatures_.tensor({1}, DType::f32, 4 * (2 * batch_ * embed_ + 2 * batch_));
}

void ClipTrainer::loss(int64_t B) {
  model_.parameters().zero_gradients(stream_);
  const auto lse = [&](int64_t side) {
    return dfeatures_.tensor({B}, DType::f32, 4 * (2 * batch_ * embed_ + side * batch_));
  };
  const Tensor image = features(0).rows(0, B), text = features(1).rows(0, B);
  const Parameter& scale = model_.logit_scale_parameter();
  contrastive_forward(stream_, loss_value(), lse(0), lse(1), image, text, scale.master.view({1}));
  contrastive_backward(stream_, dfeatures(0).rows(0, B), dfeatures(1).rows(0, B),
                       scale.gradient.view({1}), image, text, scale.master.view({1}), lse(0),
                       lse(1));
}

void ClipTrainer::forward(Step& step, const Micro& micro, const TextRows& texts,
                          Saved* saved) const {
  model_.encode_images(step, micro.images, micro.image_features, saved ? &saved->images : nullptr);
  model_.encode_texts(step, texts, micro.text_features, saved ? &saved->texts : nullptr);
}
void ClipTrainer::backward(Step& step, const Micro& micro, const Saved& saved) const {
  model_.backward_images(step, saved.images, micro.dimage_features);
  model_.backward_texts(step, saved.texts, micro.dtext_features);
}

// All operands of a micro-batch follow from its key.
void ClipTrainer::for_each(const std::vector<Micro>& parts, Part part, const MicroWork& work) {
  Step step{stream_, arena_, model_.dtype()};
  for (const Micro& micro : parts) {
    const ArenaScope scope(arena_);
    const TextRows texts = micro.texts.on_device(step);
    graphs_.run({int64_t(part), reinterpret_cast<intptr_t>(micro.images.data), micro.images[0],
                 reinterpret_cast<intptr_t>(micro.image_features.data), texts.ids[0],
                 texts.offsets[0]},
                [&] {
                  const ArenaScope activations(arena_);
                  work(step, micro, texts);
                });
  }
}

Gradients ClipTrainer::compute_gradients(const ClipBatch& batch,
                                         const std::function<void()>& meanwhile) {
  const std::vector<Micro> parts = split(images_of(batch), batch);
  const auto B = int64_t(batch.captions.size());
  if (parts.size() == 1) {
    for_each(parts, Part::all, [&](Step& step, const Micro& micro, const TextRows& texts) {
      Saved saved;
      forward(step, micro, texts, &saved);
      loss(B);
      backward(step, micro, saved);
    });
  } else {
    for_each(parts, Part::features, [&](Step& step, const Micro& micro, const TextRows& texts) {
      forward(step, micro, texts, nullptr);
    });
    graphs_.run({int64_t(Part::loss), B}, [&] { loss(B); });
    for_each(parts, Part::backward, [&](Step& step, const Micro& micro, const TextRows& texts) {
      Saved saved;
      forward(step, micro, texts, &saved);
      backward(step, micro, saved);
    });
  }
  return finish_gradients(stream_, model_.parameters(), loss_value(), meanwhile);
}

void ClipTrainer::apply(const OptimizerOptions& options, double lr, int64_t step) {
  optimizer_step(stream_, model_.parameters(), options, lr, step);
  model_.clamp_logit_scale(stream_);
}

}  // namespace laclip

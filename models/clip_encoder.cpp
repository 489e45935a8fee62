#include "models/clip_encoder.h"

#include <algorithm>

namespace laclip {

ClipEncoder::ClipEncoder(const Clip& model, int64_t block)
    : model_(model),
      block_(block),
      embed_(model.config().embed),
      stream_(model.device()),
      arena_("activations", plan(), model.device()) {}

int64_t ClipEncoder::plan() const {
  const ClipConfig& c = model_.config();
  Arena arena(model_.device());
  Stream stream(model_.device());
  stream.dry_run = true;
  Step step{stream, arena, model_.dtype()};
  const Tensor images{reinterpret_cast<void*>(1),
                      {block_, c.image_size, c.image_size, 3},
                      DType::u8,
                      Device::cpu};
  const Tensor out = arena.tensor({block_, embed_}, DType::f32);
  model_.encode_images(step, images, out);
  TextBatch texts;
  for (int64_t i = 0; i < block_; ++i) texts.add(std::vector<int32_t>(size_t(c.context_length), 0));
  model_.encode_texts(step, texts.on_device(step), out);
  return arena.high_water();
}

std::vector<float> ClipEncoder::encode_images(const Tensor& images) {
  std::vector<float> features(size_t(images[0] * embed_));
  Step step{stream_, arena_, model_.dtype()};
  for (int64_t begin = 0; begin < images[0]; begin += block_) {
    const int64_t count = std::min(block_, images[0] - begin);
    const ArenaScope scope(arena_);
    const Tensor out = arena_.tensor({count, embed_}, DType::f32);
    model_.encode_images(step, images.rows(begin, count), out);
    copy(stream_, tensor_of(features.data() + begin * embed_, {count, embed_}), out);
    stream_.synchronize();  // gives the pinned memory of the block back
  }
  return features;
}

std::vector<float> ClipEncoder::encode_texts(const std::vector<std::vector<int32_t>>& captions) {
  const auto total = int64_t(captions.size());
  std::vector<float> features(size_t(total * embed_));
  Step step{stream_, arena_, model_.dtype()};
  for (int64_t begin = 0; begin < total; begin += block_) {
    const int64_t count = std::min(block_, total - begin);
    TextBatch batch;
    for (int64_t i = 0; i < count; ++i) batch.add(captions[size_t(begin + i)]);
    const ArenaScope scope(arena_);
    const Tensor out = arena_.tensor({count, embed_}, DType::f32);
    model_.encode_texts(step, batch.on_device(step), out);
    copy(stream_, tensor_of(features.data() + begin * embed_, {count, embed_}), out);
    stream_.synchronize();  // gives the pinned memory of the block back
  }
  return features;
}

}  // namespace laclip

#include "models/vit.h"

#include <cmath>

#include "kernels/ops/elementwise.h"
#include "kernels/ops/patch_embed.h"
#include "kernels/ops/token_ops.h"

namespace laclip {
namespace {

// i·stride, i < count, as a tensor of the arena.
Tensor multiples_of(Step& step, int64_t count, int64_t stride) {
  const Tensor list = step.arena.tensor({count}, DType::i32);
  multiples(step.stream, list, int(stride));
  return list;
}

}  // namespace

Vit Vit::declare(ParameterSet& parameters, const ClipConfig& config) {
  const TowerConfig& tower = config.vision;
  const int64_t C = tower.width, p = config.patch, T = config.patches() + 1;
  const bool timm = config.form == ClipConfig::Form::laclip;
  const float width = 1.0f / std::sqrt(float(C)), inputs = 1.0f / std::sqrt(float(3 * p * p));
  Vit vit;
  vit.config = &config;
  auto parameter = [&](const std::string& name, Shape shape, Initializer init) {
    return &::laclip::declare(parameters, name, shape, init);
  };
  if (timm) {
    vit.cls = parameter("visual.cls_token", {1, 1, C}, TruncatedNormal{0.02f});
    vit.places = parameter("visual.pos_embed", {1, T, C}, TruncatedNormal{0.02f});
    vit.patches.w = parameter("visual.patch_embed.proj.weight", {C, 3, p, p}, Uniform{inputs});
    vit.patches.b = parameter("visual.patch_embed.proj.bias", {C}, Uniform{inputs});
    vit.transformer = declare_transformer(parameters, "visual", tower, false, BlockNames::timm,
                                          BlockInit::pytorch);
    vit.ln_post = declare_norm(parameters, "visual.norm", C, tower.eps);
    vit.proj.w = parameter("image_projection", {C, config.embed}, Normal{width});
  } else {
    vit.cls = parameter("visual.class_embedding", {C}, Normal{width});
    vit.places = parameter("visual.positional_embedding", {T, C}, Normal{width});
    vit.patches.w = parameter("visual.conv1.weight", {C, 3, p, p}, Uniform{inputs});
    vit.ln_pre = declare_norm(parameters, "visual.ln_pre", C, tower.eps);
    vit.transformer = declare_transformer(parameters, "visual.transformer", tower, false,
                                          BlockNames::open_clip, BlockInit::pytorch);
    vit.ln_post = declare_norm(parameters, "visual.ln_post", C, tower.eps);
    vit.proj.w = parameter("visual.proj", {C, config.embed}, Normal{width});
  }
  return vit;
}

void Vit::forward(Step& step, In images, Out features, Saved* saved) const {
  const int64_t B = images[0], R = images[1], C = config->vision.width, P = config->patches();
  Stream& stream = step.stream;
  Saved s;
  const Tensor planes = step.tensor({B, 3, R, R});
  normalize_image(stream, planes, step.on_device(images.tensor()), config->pixels);
  s.pixels = step.tensor({B * P, 3 * config->patch * config->patch});
  patchify(stream, s.pixels, planes, int(config->patch));
  const Tensor embedded = step.tensor({B * P, C});
  patches.forward(step, s.pixels, embedded);
  s.embedded = step.tensor({B * (P + 1), C});
  class_token_forward(stream, s.embedded, embedded, cls->value.view({C}),
                      places->value.view({P + 1, C}));
  s.x = s.embedded;
  if (ln_pre.gamma) {
    s.x = step.tensor(s.embedded.shape);
    s.ln_pre = ln_pre.forward(step, s.embedded, s.x);
  }
  s.offsets = multiples_of(step, B + 1, P + 1);
  s.rows = multiples_of(step, B, P + 1);
  Tensor y;
  if (saved) {
    s.transformer = transformer.forward(step, s.x, s.offsets);
    y = s.transformer.y;
  } else {
    y = transformer.infer(step, s.x, s.offsets);
  }
  s.picked = step.tensor({B, C});
  gather_rows_forward(stream, s.picked, y, s.rows);
  s.normed = step.tensor({B, C});
  s.ln_post = ln_post.forward(step, s.picked, s.normed);
  proj.forward(step, s.normed, features);
  if (saved) *saved = std::move(s);
}

void Vit::backward(Step& step, const Saved& s, In dfeatures) const {
  const ArenaScope scope(step.arena);
  const int64_t C = config->vision.width, P = config->patches();
  Stream& stream = step.stream;
  const Tensor dnormed = step.tensor(s.normed.shape), dpicked = step.tensor(s.picked.shape);
  proj.backward(step, dfeatures, s.normed, dnormed);
  ln_post.backward(step, s.ln_post, dnormed, s.picked, dpicked);
  const Tensor dy = step.tensor(s.x.shape), dx = step.tensor(s.x.shape);
  gather_rows_backward(stream, dy, dpicked, s.rows);
  transformer.backward(step, s.transformer, dy, dx);
  Tensor dembedded = dx;
  if (ln_pre.gamma) {
    dembedded = step.tensor(dx.shape);
    ln_pre.backward(step, s.ln_pre, dx, s.embedded, dembedded);
  }
  const Tensor dpatches = step.tensor({s.pixels[0], C});
  class_token_backward(stream, dpatches, cls->gradient.view({C}), places->gradient.view({P + 1, C}),
                       dembedded);
  patches.backward(step, dpatches, s.pixels, none);
}

}  // namespace laclip

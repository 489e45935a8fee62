// CLIP: two towers into one space, and the learned scale of the cosines.
//
//   image feature = vit(images) / ‖·‖      text feature = text(captions) / ‖·‖
//   loss = InfoNCE(exp(logit_scale) · cosines)                    (kernels/ops/contrastive.h)
//
// A training step has three parts, so that a batch may be larger than memory: features of all
// micro-batches, the loss on all features, the backward pass of each micro-batch.
#pragma once

#include <memory>
#include <optional>

#include "kernels/ops/l2_normalize.h"
#include "models/text_transformer.h"
#include "models/vit.h"

namespace laclip {

class Clip {
 public:
  // Weights are drawn by `seed`, the same on every device; without one they are zero until they are
  // loaded.
  Clip(ClipConfig config, DType dtype, Training training, std::optional<uint64_t> seed,
       Device device = Device::cpu);
  Clip(const Clip&) = delete;

  struct SavedFeature {
    Tensor unit, norm;  // [B E] [B]
  };
  struct SavedImages {
    Vit::Saved tower;
    SavedFeature feature;
  };
  struct SavedTexts {
    TextTransformer::Saved tower;
    SavedFeature feature;
  };
  // Unit features[B E], in fp32 or in the model's type; then they belong to what is saved. saved null:
  // nothing is kept, the arena is left as it was.
  void encode_images(Step& step, In images, Out features, SavedImages* saved = nullptr) const;
  void encode_texts(Step& step, const TextRows& texts, Out features,
                    SavedTexts* saved = nullptr) const;
  // From the gradient of the unit features, fp32, adds to the gradients of all parameters below.
  void backward_images(Step& step, const SavedImages& saved, In dfeatures) const;
  void backward_texts(Step& step, const SavedTexts& saved, In dfeatures) const;

  void clamp_logit_scale(Stream& stream);  // to [0, ln 100], after each optimiser step
  float logit_scale() const { return *HostCopy(logit_scale_->master).tensor().as<float>(); }
  const Parameter& logit_scale_parameter() const { return *logit_scale_; }

  const ClipConfig& config() const { return config_; }
  ParameterSet& parameters() { return parameters_; }
  const ParameterSet& parameters() const { return parameters_; }
  DType dtype() const { return dtype_; }
  Device device() const { return parameters_.device(); }

 private:
  SavedFeature normalize(Step& step, Tensor raw, Out features) const;
  Tensor backward_normalize(Step& step, const SavedFeature& saved, In dfeatures) const;

  ClipConfig config_;
  DType dtype_;
  ParameterSet parameters_;
  Vit visual_;
  TextTransformer text_;
  const Parameter* logit_scale_;
};

}  // namespace laclip

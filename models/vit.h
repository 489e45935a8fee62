// The image tower: a vision transformer, in open_clip's form (ln_pre, ln_post) or LaCLIP's (timm:
// patch bias, one final norm). The feature is the class token after the last norm, projected.
//
//   x = [cls; patches W + b] + places      x = ln_pre(x)      blocks
//   feature = ln_post(x_cls) proj
#pragma once

#include "models/blocks.h"

namespace laclip {

struct Vit {
  const ClipConfig* config = nullptr;
  Linear patches;
  const Parameter *cls = nullptr, *places = nullptr;  // [C] or [1 1 C], [T C] or [1 T C]
  LayerNorm ln_pre, ln_post;                          // ln_pre.gamma null: none
  Transformer transformer;
  Projection proj;

  static Vit declare(ParameterSet& parameters, const ClipConfig& config);

  struct Saved {
    Tensor pixels, embedded, x;  // [M K] [N C] [N C]: patches; before and after ln_pre
    LayerNorm::Saved ln_pre, ln_post;
    Transformer::Saved transformer;
    Tensor picked, normed;  // [B C] [B C]: class tokens, before and after ln_post
    Tensor offsets, rows;   // [B+1] [B]
  };
  // images[B R R 3] uint8 -> features[B E], not normalised. saved null: nothing is kept.
  void forward(Step& step, In images, Out features, Saved* saved) const;
  void backward(Step& step, const Saved& saved, In dfeatures) const;
};

}  // namespace laclip

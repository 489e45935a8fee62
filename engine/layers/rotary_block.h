// A pre-norm block of LLaMA's form:
//
//   mid = x + attention(norm_1(x))        y = mid + mlp(norm_2(mid))
#pragma once

#include "engine/layers/gated_mlp.h"
#include "engine/layers/rms_norm.h"
#include "engine/layers/rotary_attention.h"

namespace laclip {

struct RotaryBlock {
  RmsNorm norm_1, norm_2;
  RotaryAttention attention;
  GatedMlp mlp;

  struct Saved {
    Tensor x{}, mid{};  // [N C] [N C]
    RmsNorm::Saved norm_1{}, norm_2{};
    RotaryAttention::Saved attention{};
    GatedMlp::Saved mlp{};
  };
  Saved forward(Step& step, Tensor x, const RotarySequences& at, Tensor y) const {
    Saved s{.x = x, .mid = step.tensor(x.shape)};
    const Tensor h1 = step.tensor(x.shape), h2 = step.tensor(x.shape);
    s.norm_1 = norm_1.forward(step, x, h1);
    s.attention = attention.forward(step, h1, at, s.mid, x);
    s.norm_2 = norm_2.forward(step, s.mid, h2);
    s.mlp = mlp.forward(step, h2, y, s.mid);
    return s;
  }
  void backward(Step& step, const Saved& s, In dy, Out dx) const {
    const ArenaScope scope(step.arena);
    const Tensor dmid = step.tensor(s.mid.shape), dh = step.tensor(s.x.shape);
    mlp.backward(step, s.mlp, dy, dh);
    norm_2.backward(step, s.norm_2, dh, s.mid, dmid, dy);
    attention.backward(step, s.attention, dmid, dh);
    norm_1.backward(step, s.norm_1, dh, s.x, dx, dmid);
  }
};

}  // namespace laclip

// A pre-norm transformer block:
//
//   mid = x + attention(ln_1(x))        y = mid + mlp(ln_2(mid))
#pragma once

#include <utility>
#include <vector>

#include "engine/layers/attention.h"
#include "engine/layers/mlp.h"
#include "engine/layers/norm.h"

namespace laclip {

struct TransformerBlock {
  LayerNorm ln_1, ln_2;
  Attention attention;
  Mlp mlp;

  struct Saved {
    Tensor x{}, mid{};  // [N C] [N C]
    LayerNorm::Saved ln_1{}, ln_2{};
    Attention::Saved attention{};
    Mlp::Saved mlp{};
  };
  Saved forward(Step& step, Tensor x, Tensor offsets, Tensor y) const {
    Saved s{.x = x, .mid = step.tensor(x.shape)};
    const Tensor h1 = step.tensor(x.shape), h2 = step.tensor(x.shape);
    s.ln_1 = ln_1.forward(step, x, h1);
    s.attention = attention.forward(step, h1, offsets, s.mid, x);
    s.ln_2 = ln_2.forward(step, s.mid, h2);
    s.mlp = mlp.forward(step, h2, y, s.mid);
    return s;
  }
  void backward(Step& step, const Saved& s, In dy, Out dx) const {
    const ArenaScope scope(step.arena);
    const Tensor dmid = step.tensor(s.mid.shape), dh = step.tensor(s.x.shape);
    mlp.backward(step, s.mlp, dy, dh);
    ln_2.backward(step, s.ln_2, dh, s.mid, dmid, dy);
    attention.backward(step, s.attention, dmid, dh);
    ln_1.backward(step, s.ln_1, dh, s.x, dx, dmid);
  }
};

// A stack of blocks over the same sequences.
struct Transformer {
  std::vector<TransformerBlock> blocks;

  struct Saved {
    std::vector<TransformerBlock::Saved> blocks;
    Tensor y;  // [N C]
  };
  Saved forward(Step& step, Tensor x, Tensor offsets) const {
    Saved saved;
    for (const TransformerBlock& block : blocks) {
      const Tensor y = step.tensor(x.shape);
      saved.blocks.push_back(block.forward(step, x, offsets, y));
      x = y;
    }
    saved.y = x;
    return saved;
  }
  // Without what backward needs: two tensors take turns.
  Tensor infer(Step& step, Tensor x, Tensor offsets) const {
    Tensor y = step.tensor(x.shape);
    for (const TransformerBlock& block : blocks) {
      const ArenaScope scope(step.arena);
      block.forward(step, x, offsets, y);
      std::swap(x, y);
    }
    return x;
  }
  // dy is working memory: it is overwritten.
  void backward(Step& step, const Saved& saved, Tensor dy, Tensor dx) const {
    const ArenaScope scope(step.arena);
    Tensor other = step.tensor(dy.shape);
    for (size_t i = blocks.size(); i-- > 0;) {
      const Tensor out = i == 0 ? dx : other;
      blocks[i].backward(step, saved.blocks[i], dy, out);
      other = dy;  // read, and free to be written
      dy = out;
    }
  }
};

}  // namespace laclip

// Multi-head self-attention over packed sequences: out = W_o attention(W_qkv x) + skip, with a layer norm
// over each query and key head where the model has one (qk_norm).
#pragma once

#include "engine/layers/linear.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/qk_norm.h"

namespace laclip {

struct QkNorm {
  const Parameter *gamma_q = nullptr, *beta_q = nullptr, *gamma_k = nullptr,
                  *beta_k = nullptr;  // [D]
  float eps = 1e-6f;
};

struct Attention {
  Linear qkv, proj;
  int heads = 1;
  bool causal = false;
  QkNorm norm;  // gamma_q null: none

  struct Saved {
    Tensor x{}, qkv{}, normed{}, mean{},
        rstd{};         // [N C] [N 3C] [N 3C] [N 2H] [N 2H]; the last two with a norm
    Tensor lse{}, y{};  // [N H] [N C]
    Tensor offsets{};   // [B+1]
  };
  Saved forward(Step& step, Tensor x, Tensor offsets, Out out, In skip) const {
    const int64_t N = x[0];
    Saved s{.x = x, .qkv = step.tensor({N, qkv.outputs()}), .offsets = offsets};
    qkv.forward(step, x, s.qkv);
    s.normed = s.qkv;
    if (norm.gamma_q) {
      s.normed = step.tensor(s.qkv.shape);
      s.mean = step.statistics({N, 2 * heads});
      s.rstd = step.statistics({N, 2 * heads});
      qk_norm_forward(step.stream, s.normed, s.mean, s.rstd, s.qkv, norm.gamma_q->value,
                      norm.beta_q->value, norm.gamma_k->value, norm.beta_k->value, norm.eps);
    }
    s.lse = step.statistics({N, heads});
    s.y = step.tensor(x.shape);
    attention_forward(step.stream, s.y, s.lse, s.normed, offsets, options());
    proj.forward(step, s.y, out, skip);
    return s;
  }
  void backward(Step& step, const Saved& s, In dout, Out dx) const {
    const ArenaScope scope(step.arena);
    const Tensor dy = step.tensor(s.y.shape), dnormed = step.tensor(s.qkv.shape);
    proj.backward(step, dout, s.y, dy);
    attention_backward(step.stream, dnormed, dy, s.normed, s.y, s.lse, s.offsets, options());
    Tensor dqkv = dnormed;
    if (norm.gamma_q) {
      dqkv = step.tensor(s.qkv.shape);
      qk_norm_backward(step.stream, dqkv, norm.gamma_q->gradient, norm.beta_q->gradient,
                       norm.gamma_k->gradient, norm.beta_k->gradient, dnormed, s.qkv, s.mean,
                       s.rstd, norm.gamma_q->value, norm.gamma_k->value);
    }
    qkv.backward(step, dqkv, s.x, dx);
  }
  AttentionOptions options() const {
    return {.heads = heads, .key_heads = heads, .causal = causal};
  }
};

}  // namespace laclip

// Causal self-attention over packed sequences with rotary positions and grouped heads (LLaMA):
// out = W_o attention(rope(W_qkv x)) + skip.
#pragma once

#include "engine/layers/linear.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/rope.h"

namespace laclip {

// Packed sequences: where each begins, each row's place in its own, and the angles of the places.
struct RotarySequences {
  Tensor offsets, positions, table;  // [B+1] [N] [T D]
};

struct RotaryAttention {
  Linear qkv, o;
  int heads = 1, key_heads = 1;

  struct Saved {
    Tensor x{}, qkv{};  // [N C] [N Q]: after the rotation
    Tensor lse{}, y{};  // [N H] [N H·D]
    RotarySequences at{};
  };
  Saved forward(Step& step, Tensor x, const RotarySequences& at, Out out, In skip) const {
    const int64_t N = x[0], width = heads * at.table[1];
    const Saved s{.x = x,
                  .qkv = step.tensor({N, qkv.outputs()}),
                  .lse = step.statistics({N, heads}),
                  .y = step.tensor({N, width}),
                  .at = at};
    qkv.forward(step, x, s.qkv);
    rope_forward(step.stream, s.qkv, at.table, at.positions, {heads, key_heads});
    attention_forward(step.stream, s.y, s.lse, s.qkv, at.offsets, options());
    o.forward(step, s.y, out, skip);
    return s;
  }
  void backward(Step& step, const Saved& s, In dout, Out dx) const {
    const ArenaScope scope(step.arena);
    const Tensor dy = step.tensor(s.y.shape), dqkv = step.tensor(s.qkv.shape);
    o.backward(step, dout, s.y, dy);
    attention_backward(step.stream, dqkv, dy, s.qkv, s.y, s.lse, s.at.offsets, options());
    rope_backward(step.stream, dqkv, s.at.table, s.at.positions, {heads, key_heads});
    qkv.backward(step, dqkv, s.x, dx);
  }
  AttentionOptions options() const {
    return {.heads = heads, .key_heads = key_heads, .causal = true};
  }
};

}  // namespace laclip

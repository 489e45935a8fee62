// LLaMA (Touvron et al. 2023): pre-norm decoder with RMS norms, rotary positions, grouped attention
// heads and SwiGLU. Inference over a pool of cached keys and values.
//
//   x = tokens[ids]
//   each layer:  x += W_o attention(rope(W_qkv norm(x)))      x += W_down swiglu(W_gate|up norm(x))
//   logits = W_head norm(x)
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/layers/rotary_block.h"
#include "engine/step.h"
#include "kernels/core/graphs.h"
#include "kernels/core/roles.h"
#include "models/llama_config.h"

namespace laclip {

// Keys and values of all layers: a pool of `tokens` places, shared out by its user.
class KvPool {
 public:
  KvPool(const LlamaConfig& config, int64_t tokens, DType dtype, Device device);
  static int64_t bytes(const LlamaConfig& config, int64_t tokens, DType dtype);
  Tensor keys(int64_t layer) const;    // [T K·D]
  Tensor values(int64_t layer) const;  // [T K·D]
  int64_t tokens() const { return tokens_; }

 private:
  int64_t tokens_, width_;
  DType dtype_;
  Buffer memory_;
};

// The rows of one forward call: tokens of any sequences, at any position (kernels/ops/kv_cache.h).
// Rows of one prefix should be neighbours.
struct LlamaRows {
  std::vector<int32_t> ids, positions;              // token, its position in its sequence
  std::vector<int32_t> where;                       // its place in the pool
  std::vector<int32_t> prefix_begin, prefix_count;  // the shared range it attends to
  std::vector<int32_t> own_begin, own_count;        // the range of its sequence, itself included
  std::vector<int32_t> wanted;                      // rows whose logits are asked for

  int64_t count() const { return int64_t(ids.size()); }
  void add(int32_t id, int32_t prefix_first, int32_t prefix_tokens, int32_t own_first,
           int32_t index_in_own);  // position, where and own_count follow
  void clear();
};

class Llama {
 public:
  // Weights are zero until they are assigned or initialised.
  Llama(LlamaConfig config, DType dtype, Training training = Training::no,
        Device device = Device::cpu);
  Llama(const Llama&) = delete;

  // What weights are referred to in: kept as long as the model.
  void keep(std::shared_ptr<const void> files) { files_ = std::move(files); }

  // logits[wanted V], fp32. With graphs, calls of so many rows and wanted ones are recorded; pool,
  // arena and logits must then be the same in all of them.
  void forward(Step& step, const LlamaRows& rows, const KvPool& pool, Out logits,
               Graphs* graphs = nullptr) const;

  // Arena bytes that forward needs for so many rows.
  int64_t plan(int64_t rows, int64_t wanted) const;

  const LlamaConfig& config() const { return config_; }
  DType dtype() const { return dtype_; }
  Device device() const { return parameters_->device(); }
  ParameterSet& parameters() { return *parameters_; }
  const ParameterSet& parameters() const { return *parameters_; }

 private:
  friend class LlamaTrainer;
  void infer(Step& step, const struct RowTensors& rows, const KvPool& pool, Out logits) const;
  void infer_keys(Step& step, const RotaryBlock& block, Tensor qkv, Tensor x,
                  const struct RowTensors& rows, Tensor keys, Tensor values) const;
  void infer_rest(Step& step, const RotaryBlock& block, Tensor x, Tensor qkv,
                  const struct SeenTensors& seen, Tensor keys, Tensor values) const;
  Tensor rope_table() const;  // [T D]

  LlamaConfig config_;
  DType dtype_;
  std::unique_ptr<ParameterSet> parameters_;
  const Parameter* tokens_;  // [V C]
  std::vector<RotaryBlock> blocks_;
  RmsNorm final_norm_;
  const Parameter* head_;  // [V C]; the same as tokens_ if tied
  std::shared_ptr<const void> files_;
  Buffer rope_table_;  // [max_length D]: cosines, then sines
};

}  // namespace laclip

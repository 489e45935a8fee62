#include "models/llama.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <numbers>

#include "kernels/ops/embedding.h"
#include "kernels/ops/kv_cache.h"
#include "kernels/ops/token_ops.h"

namespace laclip {

struct SeenTensors {
  Tensor prefix_begin, prefix_count, own_begin, own_count;
};
struct RowTensors {
  Tensor ids, positions, where, wanted;
  SeenTensors seen, seen_by_wanted;
};

namespace {

double scaled_frequency(double frequency, const RopeScaling& scaling) {
  using Kind = RopeScaling::Kind;
  if (scaling.kind == Kind::plain) return frequency;
  if (scaling.kind == Kind::linear) return frequency / scaling.factor;
  // llama3: long wavelengths are stretched, short ones kept, those between interpolated.
  const double turns = scaling.original_length * frequency / (2 * std::numbers::pi);
  if (turns > scaling.high_freq_factor) return frequency;
  if (turns < scaling.low_freq_factor) return frequency / scaling.factor;
  const double share =
      (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - share) * frequency / scaling.factor + share * frequency;
}

Buffer make_rope_table(const LlamaConfig& c, Device device) {
  const int64_t half = c.head_size / 2;
  const Shape shape{c.max_length, c.head_size};
  Buffer table("rope table", 4 * shape.elements(), device);
  std::vector<float> out(size_t(shape.elements()));
  for (int64_t i = 0; i < half; ++i) {
    const double frequency =
        scaled_frequency(std::pow(c.rope_theta, -2.0 * double(i) / double(c.head_size)),
                         c.rope_scaling);
    for (int64_t t = 0; t < c.max_length; ++t) {
      out[size_t(t * c.head_size + i)] = float(std::cos(double(t) * frequency));
      out[size_t(t * c.head_size + half + i)] = float(std::sin(double(t) * frequency));
    }
  }
  copy_from_host(table.tensor(shape, DType::f32), tensor_of(out.data(), shape));
  return table;
}

}  // namespace

KvPool::KvPool(const LlamaConfig& c, int64_t tokens, DType dtype, Device device)
    : tokens_(tokens),
      width_(c.key_heads * c.head_size),
      dtype_(dtype),
      memory_("keys and values", bytes(c, tokens, dtype), device) {}

int64_t KvPool::bytes(const LlamaConfig& c, int64_t tokens, DType dtype) {
  return 2 * c.layers * tokens * c.key_heads * c.head_size * size_of(dtype);
}

Tensor KvPool::keys(int64_t layer) const {
  return memory_.tensor({tokens_, width_}, dtype_, 2 * layer * tokens_ * width_ * size_of(dtype_));
}
Tensor KvPool::values(int64_t layer) const {
  return memory_.tensor({tokens_, width_}, dtype_,
                        (2 * layer + 1) * tokens_ * width_ * size_of(dtype_));
}

void LlamaRows::add(int32_t id, int32_t prefix_first, int32_t prefix_tokens, int32_t own_first,
                    int32_t index_in_own) {
  ids.push_back(id);
  positions.push_back(prefix_tokens + index_in_own);
  where.push_back(own_first + index_in_own);
  prefix_begin.push_back(prefix_first);
  prefix_count.push_back(prefix_tokens);
  own_begin.push_back(own_first);
  own_count.push_back(index_in_own + 1);
}

void LlamaRows::clear() {
  for (auto* list :
       {&ids, &positions, &where, &prefix_begin, &prefix_count, &own_begin, &own_count, &wanted})
    list->clear();
}

Llama::Llama(LlamaConfig config, DType dtype, Training training, Device device)
    : config_(config),
      dtype_(dtype),
      parameters_(std::make_unique<ParameterSet>()),
      rope_table_(make_rope_table(config, device)) {
  const int64_t C = config.width, F = config.mlp_width, V = config.vocabulary;
  const int64_t q_width = config.heads * config.head_size;
  const int64_t k_width = config.key_heads * config.head_size;
  // Matrices that write into the residual stream start smaller, by the number of such writes.
  const Normal drawn{0.02f}, narrow{0.02f / std::sqrt(2.0f * float(config.layers))};
  auto matrix = [&](const std::string& name, Shape shape, Normal init) {
    return &parameters_->add(name, shape, Decay::yes, init);
  };
  auto norm = [&](const std::string& name) {
    return RmsNorm{&parameters_->add(name, {C}, Decay::no, Constant{1}), config.eps};
  };
  tokens_ = matrix("model.embed_tokens.weight", {V, C}, drawn);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string at = fmt::format("model.layers.{}.", i);
    RotaryBlock block;
    block.norm_1 = norm(at + "input_layernorm.weight");
    const Parameter* q = matrix(at + "self_attn.q_proj.weight", {q_width, C}, drawn);
    const Parameter* k = matrix(at + "self_attn.k_proj.weight", {k_width, C}, drawn);
    const Parameter* v = matrix(at + "self_attn.v_proj.weight", {k_width, C}, drawn);
    block.attention.qkv.w = &parameters_->join({q, k, v}, {config.qkv_width(), C});
    block.attention.o.w = matrix(at + "self_attn.o_proj.weight", {C, q_width}, narrow);
    block.attention.heads = int(config.heads);
    block.attention.key_heads = int(config.key_heads);
    block.norm_2 = norm(at + "post_attention_layernorm.weight");
    const Parameter* gate = matrix(at + "mlp.gate_proj.weight", {F, C}, drawn);
    const Parameter* up = matrix(at + "mlp.up_proj.weight", {F, C}, drawn);
    block.mlp.gate_up.w = &parameters_->join({gate, up}, {2 * F, C});
    block.mlp.down.w = matrix(at + "mlp.down_proj.weight", {C, F}, narrow);
    blocks_.push_back(block);
  }
  final_norm_ = norm("model.norm.weight");
  head_ = config.tied ? tokens_ : matrix("lm_head.weight", {V, C}, drawn);
  parameters_->allocate(dtype, training, device);
}

Tensor Llama::rope_table() const {
  return rope_table_.tensor({config_.max_length, config_.head_size}, DType::f32);
}

void Llama::forward(Step& step, const LlamaRows& rows, const KvPool& pool, Out logits,
                    Graphs* graphs) const {
  const ArenaScope scope(step.arena);
  std::array<std::vector<int32_t>, 4> of_wanted;
  const std::array seen{&rows.prefix_begin, &rows.prefix_count, &rows.own_begin, &rows.own_count};
  for (size_t i = 0; i < 4; ++i)
    for (const int32_t row : rows.wanted) of_wanted[i].push_back((*seen[i])[size_t(row)]);
  const auto there = step.on_device<12>({&rows.ids, &rows.positions, &rows.where, &rows.wanted,
                                         seen[0], seen[1], seen[2], seen[3], &of_wanted[0],
                                         &of_wanted[1], &of_wanted[2], &of_wanted[3]});
  const RowTensors at{there[0],
                      there[1],
                      there[2],
                      there[3],
                      {there[4], there[5], there[6], there[7]},
                      {there[8], there[9], there[10], there[11]}};
  if (!graphs) return infer(step, at, pool, logits);
  graphs->run({rows.count(), int64_t(rows.wanted.size())}, [&] { infer(step, at, pool, logits); });
}

// The part that a graph records. Past its keys and values, the last block computes only the rows whose logits are
// wanted.
void Llama::infer(Step& step, const RowTensors& rows, const KvPool& pool, Out logits) const {
  const int64_t N = rows.ids[0], C = config_.width;
  const Tensor x = step.tensor({N, C}), qkv = step.tensor({N, config_.qkv_width()});
  embedding_forward(step.stream, x, tokens_->value, none, rows.ids, none);
  for (int64_t i = 0; i < config_.layers; ++i) {
    infer_keys(step, blocks_[size_t(i)], qkv, x, rows, pool.keys(i), pool.values(i));
    if (i < config_.layers - 1)
      infer_rest(step, blocks_[size_t(i)], x, qkv, rows.seen, pool.keys(i), pool.values(i));
  }

  if (!rows.wanted) return;
  const int64_t R = rows.wanted[0], i = config_.layers - 1;
  const Tensor last = step.tensor({R, C}), last_qkv = step.tensor({R, config_.qkv_width()});
  gather_rows_forward(step.stream, last, x, rows.wanted);
  gather_rows_forward(step.stream, last_qkv, qkv, rows.wanted);
  infer_rest(step, blocks_.back(), last, last_qkv, rows.seen_by_wanted, pool.keys(i),
             pool.values(i));
  const Tensor normed = step.tensor({R, C});
  rmsnorm_forward(step.stream, normed, none, last, final_norm_.gamma->value, final_norm_.eps);
  linear_forward(step.stream, logits, normed, head_->value, none, none);
}

// qkv of rows x; keys and values go to the pool.
void Llama::infer_keys(Step& step, const RotaryBlock& block, Tensor qkv, Tensor x,
                       const RowTensors& rows, Tensor keys, Tensor values) const {
  const ArenaScope scope(step.arena);
  const Tensor normed = step.tensor(x.shape);
  rmsnorm_forward(step.stream, normed, none, x, block.norm_1.gamma->value, block.norm_1.eps);
  block.attention.qkv.forward(step, normed, qkv);
  rope_forward(step.stream, qkv, rope_table(), rows.positions,
               {block.attention.heads, block.attention.key_heads});
  kv_append(step.stream, keys, values, qkv, rows.where);
}

// The rest of the block on rows that see cached keys and values; x is changed in place.
void Llama::infer_rest(Step& step, const RotaryBlock& block, Tensor x, Tensor qkv,
                       const SeenTensors& seen, Tensor keys, Tensor values) const {
  const ArenaScope scope(step.arena);
  const Tensor attended = step.tensor({x[0], config_.heads * config_.head_size});
  cached_attention_forward(step.stream, attended, qkv, keys, values, seen.prefix_begin,
                           seen.prefix_count, seen.own_begin, seen.own_count, block.attention.heads,
                           block.attention.key_heads);
  block.attention.o.forward(step, attended, x, x);

  const Tensor normed = step.tensor(x.shape);
  rmsnorm_forward(step.stream, normed, none, x, block.norm_2.gamma->value, block.norm_2.eps);
  block.mlp.forward(step, normed, x, x);
}

int64_t Llama::plan(int64_t rows, int64_t wanted) const {
  Arena arena(device());
  Stream stream(device());
  stream.dry_run = true;
  LlamaRows dry;
  for (int64_t i = 0; i < rows; ++i) dry.add(0, 0, 0, 0, 0);
  dry.wanted.assign(size_t(wanted), 0);
  Step step{stream, arena, dtype_};
  const KvPool pool(config_, 1, dtype_, device());
  Arena logits(device());
  forward(step, dry, pool, logits.tensor({wanted, config_.vocabulary}, DType::f32));
  return arena.high_water();
}

}  // namespace laclip

#include "models/blocks.h"

#include <fmt/core.h>

#include <cmath>

namespace laclip {

Decay decay_of(const std::string& name, const Shape& shape) {
  for (const char* word : {"bias", "ln", "bn"})
    if (name.find(word) != std::string::npos) return Decay::no;
  return shape.rank >= 2 ? Decay::yes : Decay::no;
}

const Parameter& declare(ParameterSet& parameters, const std::string& name, Shape shape,
                         Initializer initializer) {
  return parameters.add(name, shape, decay_of(name, shape), initializer);
}

LayerNorm declare_norm(ParameterSet& parameters, const std::string& name, int64_t width,
                       float eps) {
  return {&declare(parameters, name + ".weight", {width}, Constant{1}),
          &declare(parameters, name + ".bias", {width}, Constant{0}), eps};
}

Transformer declare_transformer(ParameterSet& parameters, const std::string& prefix,
                                const TowerConfig& tower, bool causal, BlockNames names,
                                BlockInit init) {
  const int64_t C = tower.width, F = tower.mlp_width, D = C / tower.heads;
  const bool timm = names == BlockNames::timm, text = init == BlockInit::clip_text;
  auto inverse_root = [](int64_t n) { return 1.0f / std::sqrt(float(n)); };
  const float width = inverse_root(C);
  const float narrow = width * inverse_root(2 * tower.layers);

  // open_clip's attention is nn.MultiheadAttention: Xavier matrices in, zero biases; timm's is two
  // nn.Linear, which draw weights and biases from ±1/√inputs.
  const Initializer in_w = text   ? Initializer(Normal{width})
                           : timm ? Initializer(Uniform{width})
                                  : Initializer(Uniform{std::sqrt(6.0f / float(4 * C))});
  const Initializer attention_b = timm ? Initializer(Uniform{width}) : Initializer(Constant{0});
  const Initializer out_w = text ? Initializer(Normal{narrow}) : Initializer(Uniform{width});
  const Initializer fc_w =
      text ? Initializer(Normal{inverse_root(2 * C)}) : Initializer(Uniform{width});
  const Initializer proj_w =
      text ? Initializer(Normal{narrow}) : Initializer(Uniform{inverse_root(F)});

  Transformer transformer;
  for (int64_t i = 0; i < tower.layers; ++i) {
    const std::string at = fmt::format("{}.{}.{}.", prefix, timm ? "blocks" : "resblocks", i);
    auto linear = [&](const std::string& weight, const std::string& bias, int64_t O, int64_t I,
                      Initializer w, Initializer b) {
      return Linear{&declare(parameters, at + weight, {O, I}, w),
                    &declare(parameters, at + bias, {O}, b)};
    };
    TransformerBlock block;
    block.ln_1 = declare_norm(parameters, at + (timm ? "norm1" : "ln_1"), C, tower.eps);
    block.attention.qkv =
        linear(timm ? "attn.qkv.weight" : "attn.in_proj_weight",
               timm ? "attn.qkv.bias" : "attn.in_proj_bias", 3 * C, C, in_w, attention_b);
    if (tower.qk_norm) {
      const LayerNorm q = declare_norm(parameters, at + "attn.q_norm", D, tower.eps);
      const LayerNorm k = declare_norm(parameters, at + "attn.k_norm", D, tower.eps);
      block.attention.norm = {q.gamma, q.beta, k.gamma, k.beta, tower.eps};
    }
    const std::string proj = timm ? "attn.proj" : "attn.out_proj";
    block.attention.proj = linear(proj + ".weight", proj + ".bias", C, C, out_w, attention_b);
    block.attention.heads = int(tower.heads);
    block.attention.causal = causal;
    block.ln_2 = declare_norm(parameters, at + (timm ? "norm2" : "ln_2"), C, tower.eps);
    const std::string fc = timm ? "mlp.fc1" : "mlp.c_fc", back = timm ? "mlp.fc2" : "mlp.c_proj";
    block.mlp.widen = linear(fc + ".weight", fc + ".bias", F, C, fc_w, Uniform{width});
    block.mlp.narrow =
        linear(back + ".weight", back + ".bias", C, F, proj_w, Uniform{inverse_root(F)});
    block.mlp.activation = tower.activation;
    transformer.blocks.push_back(block);
  }
  return transformer;
}

}  // namespace laclip

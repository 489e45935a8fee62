#include "models/llama_config.h"

#include "base/check.h"

namespace laclip {
namespace {

RopeScaling parse_scaling(const Json& json, const std::string& place) {
  RopeScaling scaling;
  const auto type = json_field<std::string>(json, json.contains("rope_type") ? "rope_type" : "type",
                                            place, "default");
  if (type == "default") return scaling;
  scaling.factor = json_field<double>(json, "factor", place);
  if (type == "linear") {
    scaling.kind = RopeScaling::Kind::linear;
  } else if (type == "llama3") {
    scaling.kind = RopeScaling::Kind::llama3;
    scaling.low_freq_factor = json_field<double>(json, "low_freq_factor", place);
    scaling.high_freq_factor = json_field<double>(json, "high_freq_factor", place);
    scaling.original_length = json_field<double>(json, "original_max_position_embeddings", place);
  } else {
    fail("{}: rope scaling of type '{}' is not supported (default, linear and llama3 are)", place,
         type);
  }
  return scaling;
}

void refuse(const Json& json, const char* field, const std::string& place) {
  check(!json_field<bool>(json, field, place, false),
        "{}: '{}' is true; LLaMA models with biases are not supported", place, field);
}

}  // namespace

LlamaConfig parse_llama_config(const Json& json, const std::string& place) {
  const auto kind = json_field<std::string>(json, "model_type", place, "llama");
  check(kind == "llama", "{}: model_type is '{}', a LLaMA model ('llama') is needed", place, kind);
  const auto act = json_field<std::string>(json, "hidden_act", place, "silu");
  check(act == "silu", "{}: hidden_act is '{}', 'silu' is needed", place, act);
  refuse(json, "attention_bias", place);
  refuse(json, "mlp_bias", place);

  LlamaConfig c;
  c.width = json_field<int64_t>(json, "hidden_size", place);
  c.mlp_width = json_field<int64_t>(json, "intermediate_size", place);
  c.layers = json_field<int64_t>(json, "num_hidden_layers", place);
  c.heads = json_field<int64_t>(json, "num_attention_heads", place);
  c.key_heads = json_field<int64_t>(json, "num_key_value_heads", place, c.heads);
  c.head_size = json_field<int64_t>(json, "head_dim", place, c.heads ? c.width / c.heads : 0);
  c.vocabulary = json_field<int64_t>(json, "vocab_size", place);
  c.max_length = json_field<int64_t>(json, "max_position_embeddings", place, 2048);
  c.eps = json_field<float>(json, "rms_norm_eps", place, 1e-6f);
  c.tied = json_field<bool>(json, "tie_word_embeddings", place, false);
  if (json.contains("eos_token_id") && json["eos_token_id"].is_number())
    c.end_tokens = {json_field<int32_t>(json, "eos_token_id", place)};
  else
    c.end_tokens = json_field<std::vector<int32_t>>(json, "eos_token_id", place, {});
  // Newer files keep the rotary embedding under rope_parameters.
  const char* rope = json.contains("rope_parameters") ? "rope_parameters" : "rope_scaling";
  c.rope_theta = json_field<double>(json, "rope_theta", place, 10000.0);
  if (json.contains(rope) && json[rope].is_object()) {
    c.rope_theta = json_field<double>(json[rope], "rope_theta", place, c.rope_theta);
    c.rope_scaling = parse_scaling(json[rope], place + ": " + rope);
  }
  c.check_sizes(place);
  return c;
}

Json to_json(const LlamaConfig& c) {
  Json json = {{"architectures", {"LlamaForCausalLM"}},
               {"model_type", "llama"},
               {"hidden_act", "silu"},
               {"hidden_size", c.width},
               {"intermediate_size", c.mlp_width},
               {"num_hidden_layers", c.layers},
               {"num_attention_heads", c.heads},
               {"num_key_value_heads", c.key_heads},
               {"head_dim", c.head_size},
               {"vocab_size", c.vocabulary},
               {"max_position_embeddings", c.max_length},
               {"rms_norm_eps", c.eps},
               {"rope_theta", c.rope_theta},
               {"tie_word_embeddings", c.tied},
               {"attention_bias", false},
               {"mlp_bias", false},
               {"bos_token_id", 1},
               {"eos_token_id", c.end_tokens}};
  const RopeScaling& scaling = c.rope_scaling;
  if (scaling.kind == RopeScaling::Kind::linear)
    json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", scaling.factor}};
  if (scaling.kind == RopeScaling::Kind::llama3)
    json["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", scaling.factor},
                            {"low_freq_factor", scaling.low_freq_factor},
                            {"high_freq_factor", scaling.high_freq_factor},
                            {"original_max_position_embeddings", scaling.original_length}};
  return json;
}

void LlamaConfig::check_sizes(const std::string& place) const {
  check(width > 0 && mlp_width > 0 && layers > 0 && heads > 0 && vocabulary > 0 && max_length > 0,
        "{}: a size is zero or negative (width {}, mlp {}, layers {}, heads {}, vocabulary {}, "
        "length {})",
        place, width, mlp_width, layers, heads, vocabulary, max_length);
  check(key_heads > 0 && heads % key_heads == 0, "{}: {} query heads cannot share {} key heads",
        place, heads, key_heads);
  check(head_size > 0 && head_size % 2 == 0, "{}: heads of size {} cannot be rotated in pairs",
        place, head_size);
}

}  // namespace laclip

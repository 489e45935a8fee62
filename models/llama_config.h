// The shape of a LLaMA model (1, 2, or another of that architecture), from the config.json of a
// Hugging Face folder. A field that would change the computation and is not supported is an Error.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace laclip {

struct RopeScaling {
  enum class Kind { plain, linear, llama3 } kind = Kind::plain;
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4, original_length = 8192;
};

struct LlamaConfig {
  int64_t width = 0;      // C, hidden_size
  int64_t mlp_width = 0;  // F, intermediate_size
  int64_t layers = 0, heads = 0, key_heads = 0, head_size = 0;
  int64_t vocabulary = 0, max_length = 0;
  float eps = 1e-5f;  // of the RMS norms
  double rope_theta = 10000;
  RopeScaling rope_scaling;
  bool tied = false;                // the output matrix is the token embedding
  std::vector<int32_t> end_tokens;  // that end a text, beside the tokenizer's own

  int64_t qkv_width() const { return (heads + 2 * key_heads) * head_size; }
  void check_sizes(const std::string& place) const;  // Error for zero or indivisible sizes
};

LlamaConfig parse_llama_config(const Json& json, const std::string& place);
Json to_json(const LlamaConfig& config);  // what parse_llama_config reads, in Hugging Face's form

}  // namespace laclip

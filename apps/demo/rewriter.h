// The rewriter that the program brings along: a LLaMA of models/rewriter/, trained by
// `laclip pretrain` on the language of `laclip world` (docs/rewriter.md). Generated at build time.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace laclip {

// (file name, bytes): config.json, model.safetensors, tokenizer.model.
extern const std::vector<std::pair<std::string_view, std::string_view>> kRewriter;

}  // namespace laclip

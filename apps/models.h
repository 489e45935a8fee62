// Opening models and tokenizers the way all commands do.
#pragma once

#include <memory>
#include <string>

#include "models/clip.h"
#include "models/llama.h"
#include "tokenizer/clip_bpe.h"

namespace laclip {

DType parse_precision(const std::string& name);  // fp32 or bf16

// A LLaMA and its tokenizer; Error if their vocabularies do not belong together.
struct LlamaAndTokenizer {
  std::unique_ptr<Llama> model;
  std::unique_ptr<Tokenizer> tokenizer;
};
LlamaAndTokenizer open_llama(const std::string& model, const std::string& tokenizer,
                             const std::string& precision);

// A vocabulary of CLIP's kind; Error for any other.
std::unique_ptr<ClipTokenizer> open_clip_tokenizer(const std::string& path);
void check_vocabulary(const Clip& model, const ClipTokenizer& tokenizer, const std::string& path);

}  // namespace laclip

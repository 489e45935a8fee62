#include "apps/models.h"

#include "base/check.h"
#include "models/llama_import.h"

namespace laclip {

DType parse_precision(const std::string& name) {
  if (name == "fp32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  fail_usage("--precision {}: fp32 and bf16 are possible", name);
}

LlamaAndTokenizer open_llama(const std::string& model, const std::string& tokenizer,
                             const std::string& precision) {
  LlamaAndTokenizer pair{nullptr, load_tokenizer(tokenizer)};
  check(pair.tokenizer->begin_token().has_value() && pair.tokenizer->kind() != "clip-bpe",
        "{}: a {} vocabulary; LLaMA needs its own tokenizer", tokenizer, pair.tokenizer->kind());
  pair.model = load_llama(model, parse_precision(precision));
  constexpr int64_t kPadding = 256;  // some models round their vocabulary up
  const int64_t rows = pair.model->config().vocabulary, tokens = pair.tokenizer->vocabulary();
  check(tokens <= rows && rows - tokens < kPadding,
        "{}: a vocabulary of {} tokens, but the model {} has "
        "{}; give the tokenizer that the model was trained with",
        tokenizer, tokens, model, rows);
  return pair;
}

std::unique_ptr<ClipTokenizer> open_clip_tokenizer(const std::string& path) {
  auto tokenizer = load_tokenizer(path);
  check(tokenizer->kind() == "clip-bpe",
        "{}: a {} vocabulary; CLIP needs bpe_simple_vocab_16e6.txt.gz, or "
        "one made by laclip tokenize --train",
        path, tokenizer->kind());
  return std::unique_ptr<ClipTokenizer>(static_cast<ClipTokenizer*>(tokenizer.release()));
}

void check_vocabulary(const Clip& model, const ClipTokenizer& tokenizer, const std::string& path) {
  check(tokenizer.vocabulary() == model.config().vocabulary,
        "{}: a vocabulary of {} tokens, but the model "
        "has {}; give the tokenizer that the model was trained with",
        path, tokenizer.vocabulary(), model.config().vocabulary);
}

}  // namespace laclip

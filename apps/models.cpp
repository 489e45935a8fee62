#include "apps/models.h"

#include <algorithm>

#include "base/check.h"
#include "data/text_table.h"
#include "models/llama_import.h"

namespace laclip {

std::vector<bool> LlamaAndTokenizer::end_tokens() const {
  const LlamaConfig& config = model->config();
  std::vector<bool> ends(size_t(config.vocabulary), false);
  std::vector<int32_t> ids = config.end_tokens;
  if (const auto end = tokenizer->end_token()) ids.push_back(*end);
  for (int32_t id : ids)
    if (id >= 0 && id < config.vocabulary) ends[size_t(id)] = true;  // -1 stands for none
  return ends;
}

void check_vocabulary(const Llama& model, const Tokenizer& tokenizer, const std::string& model_path,
                      const std::string& tokenizer_path) {
  check(tokenizer.begin_token().has_value() && tokenizer.kind() != "clip-bpe",
        "{}: a {} vocabulary; LLaMA needs its own tokenizer", tokenizer_path, tokenizer.kind());
  constexpr int64_t kPadding = 256;  // some models round their vocabulary up
  const int64_t rows = model.config().vocabulary, tokens = tokenizer.vocabulary();
  check(tokens <= rows && rows - tokens < kPadding,
        "{}: a vocabulary of {} tokens, but the model {} has {}; give the tokenizer that the model "
        "was trained with",
        tokenizer_path, tokens, model_path, rows);
}

LlamaAndTokenizer open_llama(const std::string& model, const std::string& tokenizer,
                             const std::string& precision, const std::string& device) {
  LlamaAndTokenizer pair{nullptr, load_tokenizer(tokenizer)};
  pair.model = load_llama(model, parse_precision(precision), Training::no, parse_device(device));
  check_vocabulary(*pair.model, *pair.tokenizer, model, tokenizer);
  return pair;
}

uint64_t digest_of(const ParameterSet& parameters) {
  constexpr int64_t kPiece = 2048;
  TextTable pieces;
  for (const Parameter& p : parameters.list()) {
    const int64_t size = p.value.bytes(), piece = std::min(size, kPiece);
    for (const int64_t at : {int64_t(0), (size - piece) / 2, size - piece}) {
      const HostCopy bytes(
          {static_cast<char*>(p.value.data) + at, {piece}, DType::u8, p.value.device});
      pieces.add({static_cast<const char*>(bytes.tensor().data), size_t(piece)});
    }
  }
  return pieces.digest();
}

uint64_t digest_of(const fs::path& file) {
  TextTable content;
  content.add(read_text(file));
  return content.digest();
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

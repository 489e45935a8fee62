#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "tokenizer/clip_bpe.h"
#include "tokenizer/llama2c.h"
#include "tokenizer/sentencepiece.h"

namespace laclip {

std::string Tokenizer::decode_continuation(const std::vector<int32_t>& context,
                                           const std::vector<int32_t>& added) const {
  std::vector<int32_t> all = context;
  all.insert(all.end(), added.begin(), added.end());
  const std::string before = decode(context), text = decode(all);
  // A context that ends inside a UTF-8 sequence decodes differently alone; then cut where they
  // part.
  const auto parting = std::mismatch(before.begin(), before.end(), text.begin(), text.end()).second;
  return {parting, text.end()};
}

std::vector<bool> Tokenizer::tokens_with_newline() const {
  std::vector<bool> result(static_cast<size_t>(vocabulary()), false);
  for (size_t id = 0; id < result.size(); ++id)
    result[id] = decode({int32_t(id)}).find('\n') != std::string::npos;
  return result;
}

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& path) {
  const auto bytes = read_bytes(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  check(!text.empty(), "{}: this tokenizer file is empty", path.string());
  if (text.starts_with("\x1f\x8b") || text.starts_with("#version") ||
      text.starts_with("\"bpe_simple_vocab"))
    return std::make_unique<ClipTokenizer>(path);
  check(text[0] != '{',
        "{}: a JSON tokenizer (tokenizer.json, vocab.json) is not supported; give "
        "tokenizer.model, a llama2.c tokenizer.bin, or CLIP's merges",
        path.string());
  if (Llama2cTokenizer::recognises(text)) return std::make_unique<Llama2cTokenizer>(path);
  const bool tiktoken =
      text.size() > 8 && text.substr(0, 512).find(" 0\n") != std::string_view::npos;
  check(!tiktoken,
        "{}: a tiktoken vocabulary (LLaMA 3) is not supported; use a LLaMA 1 or 2 model "
        "with its SentencePiece tokenizer.model",
        path.string());
  return std::make_unique<SentencePieceTokenizer>(path);
}

}  // namespace laclip

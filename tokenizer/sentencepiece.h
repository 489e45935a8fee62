// SentencePiece models (LLaMA 1 and 2: tokenizer.model), by the SentencePiece library.
#pragma once

#include "tokenizer/tokenizer.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace laclip {

class SentencePieceTokenizer : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(const fs::path& path);
  ~SentencePieceTokenizer() override;
  std::vector<int32_t> encode(std::string_view text) const override;
  std::string decode(const std::vector<int32_t>& ids) const override;
  int64_t vocabulary() const override;
  std::string kind() const override { return "sentencepiece"; }
  std::optional<int32_t> begin_token() const override;
  std::optional<int32_t> end_token() const override;

 private:
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace laclip

#include "tokenizer/sentencepiece.h"

#include <sentencepiece_processor.h>

#include "base/check.h"

namespace laclip {

SentencePieceTokenizer::SentencePieceTokenizer(const fs::path& path)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  const auto status = processor_->LoadFromSerializedProto(read_text(path));
  check(status.ok(), "{}: not a tokenizer that is known here (SentencePiece says: {})",
        path.string(), status.message());
}
SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text) const {
  std::vector<int> ids;
  const auto status = processor_->Encode({text.data(), text.size()}, &ids);
  check(status.ok(), "cannot tokenize: {}", status.message());
  return {ids.begin(), ids.end()};
}

std::string SentencePieceTokenizer::decode(const std::vector<int32_t>& ids) const {
  const int pieces = processor_->GetPieceSize();
  for (int32_t id : ids)
    check(id >= 0 && id < pieces, "token {} is outside the vocabulary of {}", id, pieces);
  std::string text;
  const auto status = processor_->Decode(std::vector<int>(ids.begin(), ids.end()), &text);
  check(status.ok(), "cannot decode: {}", status.message());
  return text;
}

int64_t SentencePieceTokenizer::vocabulary() const { return processor_->GetPieceSize(); }

namespace {
std::optional<int32_t> if_present(int id) {
  return id < 0 ? std::nullopt : std::optional<int32_t>(id);
}
}  // namespace
std::optional<int32_t> SentencePieceTokenizer::begin_token() const {
  return if_present(processor_->bos_id());
}
std::optional<int32_t> SentencePieceTokenizer::end_token() const {
  return if_present(processor_->eos_id());
}

}  // namespace laclip

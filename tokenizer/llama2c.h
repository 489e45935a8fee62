// llama2.c's tokenizer.bin: u32 longest piece, then for each token float score, u32 length, bytes.
// A SentencePiece BPE: the text with a space before it is cut into code points (unknown ones into
// bytes, ids 3..258), then neighbours whose joint piece has the best score are merged, leftmost
// first.
#pragma once

#include <unordered_map>

#include "tokenizer/tokenizer.h"

namespace laclip {

class Llama2cTokenizer : public Tokenizer {
 public:
  explicit Llama2cTokenizer(const fs::path& path);
  static bool recognises(std::string_view content);

  std::vector<int32_t> encode(std::string_view text) const override;
  std::string decode(const std::vector<int32_t>& ids) const override;
  int64_t vocabulary() const override { return int64_t(pieces_.size()); }
  std::string kind() const override { return "llama2.c"; }
  std::optional<int32_t> begin_token() const override { return 1; }
  std::optional<int32_t> end_token() const override { return 2; }

 private:
  struct Piece {
    std::string text;
    float score;
  };
  static std::optional<std::vector<Piece>> parse(std::string_view content);
  std::vector<Piece> pieces_;
  std::unordered_map<std::string, int32_t> ids_;
};

}  // namespace laclip

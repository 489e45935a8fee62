// CLIP's byte-level BPE (Radford et al. 2021), from bpe_simple_vocab_16e6.txt.gz or from merges in
// the same form made by `laclip tokenize --train`.
//
// Ids: 256 byte symbols, the same 256 as word ends ("</w>"), one for each merge, then start and end
// of text. A cleaned caption is cut into words ('s 't 're 've 'm 'll 'd | letters | one digit |
// other signs); the bytes of a word, the last one as word end, are merged by rank. Words like
// <|endoftext|> in a caption are text, not special tokens.
#pragma once

#include <mutex>
#include <unordered_map>

#include "tokenizer/tokenizer.h"

namespace laclip {

class ClipTokenizer : public Tokenizer {
 public:
  explicit ClipTokenizer(const fs::path& path);

  std::vector<int32_t> encode(std::string_view text) const override;
  // [start] ids [end], at most `context_length` of them: a longer caption is cut and ends with
  // [end].
  std::vector<int32_t> encode_for_clip(std::string_view text, int context_length = 77) const;
  std::string decode(const std::vector<int32_t>& ids) const override;
  int64_t vocabulary() const override { return int64_t(bytes_of_.size()) + 2; }
  std::string kind() const override { return "clip-bpe"; }
  std::optional<int32_t> begin_token() const override { return int32_t(bytes_of_.size()); }
  std::optional<int32_t> end_token() const override { return int32_t(bytes_of_.size()) + 1; }

 private:
  void encode_word(const std::string& word, std::vector<int32_t>& ids) const;

  std::vector<std::string> bytes_of_;  // of each id but the two special ones
  std::vector<bool> ends_word_;
  std::unordered_map<uint64_t, int32_t> merges_;  // (left, right) -> id; a lower id merges first
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::vector<int32_t>> words_;  // already merged
};

// The 256 characters that stand for bytes in a merges file, in the order of their ids.
struct ByteSymbols {
  ByteSymbols();
  int byte_of_id[256];
  int id_of_byte[256];
  std::string text_of_byte[256];  // UTF-8
  std::unordered_map<std::string, int> byte_of_text;
};
const ByteSymbols& byte_symbols();

// Cuts a cleaned caption into the words that BPE works on.
std::vector<std::string> split_words(std::string_view cleaned);

}  // namespace laclip

// Tokenizer: text to ids and back, whatever the vocabulary. Ids never include special tokens; those
// are offered apart. Safe to use from several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace laclip {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  virtual std::string decode(const std::vector<int32_t>& ids) const = 0;
  virtual int64_t vocabulary() const = 0;
  virtual std::string kind() const = 0;
  virtual std::optional<int32_t> begin_token() const { return std::nullopt; }
  virtual std::optional<int32_t> end_token() const { return std::nullopt; }

  // The text that `added` puts behind `context` (decoding alone would lose a leading space).
  std::string decode_continuation(const std::vector<int32_t>& context,
                                  const std::vector<int32_t>& added) const;
  // For each id whether its text contains a newline.
  std::vector<bool> tokens_with_newline() const;
};

// Reads a vocabulary and tells its kind by the content: CLIP's merges (gzip or text, also those of
// `laclip tokenize --train`), a SentencePiece model, a llama2.c tokenizer.bin.
std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& path);

}  // namespace laclip

// Trains a SentencePiece vocabulary in LLaMA's manner: BPE with byte fallback, digits apart, text left
// as it is (runs of spaces included). Ids: 0 unknown, 1 begin, 2 end, 3..258 bytes, then pieces.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace laclip {

// Writes the model to `path`, atomically. Error if the texts do not give so many pieces.
void train_sentencepiece(const fs::path& path, const std::vector<std::string>& lines,
                         int64_t vocabulary);

}  // namespace laclip

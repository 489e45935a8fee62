// Trains a byte-level BPE vocabulary from captions, in the form of CLIP's merges file.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace laclip {

// The merges, best first: at each step the most frequent pair of neighbours inside words (ties: the
// smaller ids). Stops at `merges` of them or when no pair comes twice.
std::vector<std::string> train_byte_pairs(const std::vector<std::string>& captions, size_t merges);

// Writes them atomically; ClipTokenizer reads the file. Vocabulary: 512 + merges + 2.
void write_merges(const fs::path& path, const std::vector<std::string>& merges);

}  // namespace laclip

// Texts that a language model learns from.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace laclip {

// JSONL (a string, or an object with the field "text", a line) or plain text (a document a line).
// Empty ones are passed over. Error that names file and line of what cannot be read, or if nothing
// is left.
std::vector<std::string> read_documents(const fs::path& file);

}  // namespace laclip

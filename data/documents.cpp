#include "data/documents.h"

#include <fmt/core.h>

#include "base/check.h"
#include "base/json.h"

namespace laclip {

std::vector<std::string> read_documents(const fs::path& file) {
  std::vector<std::string> documents = read_lines(file);
  if (file.extension() == ".jsonl")
    for (size_t i = 0; i < documents.size(); ++i) {
      if (documents[i].empty()) continue;
      const std::string place = fmt::format("{}:{}", file.string(), i + 1);
      const Json value = parse_json(documents[i], place);
      check(value.is_string() || value.is_object(),
            "{}: a JSON string or an object with the field \"text\" is needed", place);
      documents[i] = value.is_string() ? value.get<std::string>()
                                       : json_field<std::string>(value, "text", place);
    }
  std::erase_if(documents, [](const std::string& text) { return text.empty(); });
  check(!documents.empty(), "{}: no documents in this file", file.string());
  return documents;
}

}  // namespace laclip

#include "data/csv.h"

#include "base/check.h"

namespace laclip {

std::vector<CsvRow> parse_csv(std::string_view text, char separator, const std::string& place) {
  std::vector<CsvRow> rows;
  int64_t line = 1;
  for (size_t at = 0; at < text.size();) {
    CsvRow row{line, {}};
    for (bool more = true; more;) {
      std::string field;
      if (at < text.size() && text[at] == '"') {
        const int64_t opened = line;
        for (++at;; ++at) {
          check(at < text.size(), "{}:{}: a quoted field never ends; a closing \" is missing",
                place, opened);
          if (text[at] == '"' && at + 1 < text.size() && text[at + 1] == '"')
            field += text[++at];
          else if (text[at] == '"')
            break;
          else
            field += text[at], line += text[at] == '\n';
        }
        ++at;
      }
      while (at < text.size() && text[at] != separator && text[at] != '\n' && text[at] != '\r')
        field += text[at++];
      row.fields.push_back(std::move(field));
      more = at < text.size() && text[at] == separator;
      at += more;
    }
    if (at < text.size() && text[at] == '\r') ++at;
    if (at < text.size() && text[at] == '\n') ++at;
    ++line;
    if (row.fields.size() > 1 || !row.fields[0].empty()) rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<CsvRow> read_csv(const fs::path& path, char separator) {
  return parse_csv(read_text(path), separator, path.string());
}

}  // namespace laclip

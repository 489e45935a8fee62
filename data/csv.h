// Tables of text, as Python's csv module reads them: fields may be quoted, a doubled quote is a
// quote, a quoted field may hold separators and newlines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace laclip {

struct CsvRow {
  int64_t line = 0;  // where it begins, from 1
  std::vector<std::string> fields;
};

// Empty lines are left out. Error for a quote that never ends.
std::vector<CsvRow> parse_csv(std::string_view text, char separator, const std::string& place);
std::vector<CsvRow> read_csv(const fs::path& path, char separator);

}  // namespace laclip

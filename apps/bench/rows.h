// What a bench measures: rows with names, of which --only takes some and --list tells all.
#pragma once

#include <fstream>
#include <functional>
#include <regex>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace laclip {

class BenchRows {
 public:
  // only: a regular expression (ECMAScript) that a part of a name must match; empty: all. With `list`
  // names are printed and nothing is measured. output may be empty. `everywhere`: fields of each
  // row.
  BenchRows(const std::string& only, bool list, const fs::path& output,
            Json everywhere = Json::object());

  bool wants(const std::string& name) const { return std::regex_search(name, only_); }
  // Measures a row if it is asked for. What `work` gives, an object or an array of them, is written at
  // once as JSON lines: to standard output and to the file. An error becomes a row, so that the others
  // are measured, too.
  void measure(const std::string& name, const std::function<Json()>& work);
  // Error if a row has failed, or if there is none.
  void finish();

 private:
  void write(Json row);

  std::regex only_;
  bool list_;
  fs::path path_;
  Json everywhere_;
  std::ofstream file_;
  int64_t written_ = 0;
  std::vector<std::string> failed_;
};

}  // namespace laclip

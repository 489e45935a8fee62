#include "apps/bench/rows.h"

#include <fmt/core.h>

#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace laclip {
namespace {

std::regex regex_of(const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error&) {
    fail_usage("--only {}: this is no regular expression", text);
  }
}

}  // namespace

BenchRows::BenchRows(const std::string& only, bool list, const fs::path& output, Json everywhere)
    : only_(regex_of(only)), list_(list), path_(output), everywhere_(std::move(everywhere)) {
  if (path_.empty() || list_) return;
  file_.open(path_, std::ios::trunc);
  check(bool(file_), "{}: cannot be written", path_.string());
}

void BenchRows::write(Json row) {
  for (const auto& [name, value] : everywhere_.items()) row[name] = value;
  const std::string line = row.dump() + "\n";
  fmt::print("{}", line);
  std::fflush(stdout);
  ++written_;
  if (!file_.is_open()) return;
  file_ << line << std::flush;
  check(bool(file_), "{}: cannot be written", path_.string());
}

void BenchRows::measure(const std::string& name, const std::function<Json()>& work) {
  if (!wants(name)) return;
  if (list_) {
    fmt::print("{}\n", name);
    ++written_;
    return;
  }
  Json rows;
  try {
    rows = work();
  } catch (const std::exception& error) {
    log_warning("{}: {}", name, error.what());
    failed_.push_back(name);
    rows = {{"bench", "failure"}, {"row", name}, {"error", error.what()}};
  }
  if (!rows.is_array()) return write(rows);
  for (const Json& row : rows) write(row);
}

void BenchRows::finish() {
  check(written_ > 0, "--only asks for no row; laclip bench ... --list tells their names");
  check(failed_.empty(), "{} of the rows could not be measured, the first one is '{}'",
        failed_.size(), failed_.empty() ? "" : failed_.front());
}

}  // namespace laclip

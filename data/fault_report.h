// What is broken in the data: counted by reason and passed over, or fatal (--strict).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/json.h"

namespace laclip {

class FaultReport {
 public:
  explicit FaultReport(bool strict = false) : strict_(strict) {}

  // The message names the place. Throws it as an Error if strict.
  void add(const std::string& reason, const std::string& message);

  bool empty() const { return entries_.empty(); }
  int64_t total() const;
  Json counts() const;       // {reason: count}
  std::string text() const;  // one line: counts, and the first message of each reason

 private:
  struct Entry {
    int64_t count = 0;
    std::string first;
  };
  bool strict_;
  std::map<std::string, Entry> entries_;  // by reason
};

}  // namespace laclip

#include "data/fault_report.h"

#include "base/check.h"

namespace laclip {

void FaultReport::add(const std::string& reason, const std::string& message) {
  check(!strict_, "{} (--strict)", message);
  Entry& entry = entries_[reason];
  if (entry.count++ == 0) entry.first = message;
}

int64_t FaultReport::total() const {
  int64_t sum = 0;
  for (const auto& [reason, entry] : entries_) sum += entry.count;
  return sum;
}

Json FaultReport::counts() const {
  Json counts = Json::object();
  for (const auto& [reason, entry] : entries_) counts[reason] = entry.count;
  return counts;
}

std::string FaultReport::text() const {
  std::string line;
  for (const auto& [reason, entry] : entries_)
    line += fmt::format("{}{} {} (first: {})", line.empty() ? "" : ", ", entry.count, reason,
                        entry.first);
  return line;
}

}  // namespace laclip

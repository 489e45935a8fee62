#include "data/shard_list.h"

#include <fnmatch.h>

#include <algorithm>

#include "base/check.h"
#include "data/text.h"

namespace laclip {
namespace {

bool all_digits(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

std::vector<std::string> alternatives(const std::string& inside, const std::string& list) {
  std::vector<std::string> result;
  if (const size_t dots = inside.find(".."); dots != std::string::npos) {
    const std::string from = inside.substr(0, dots), to = inside.substr(dots + 2);
    check(all_digits(from) && all_digits(to) && from.size() < 18 && to.size() < 18,
          "{}: {{{}}} is no range of numbers; write {{000..123}}", list, inside);
    const long first = std::stol(from), last = std::stol(to);
    check(first <= last && last - first < 10'000'000, "{}: the range {{{}}} is empty or too long",
          list, inside);
    const size_t width = from.size() > 1 && from[0] == '0' ? from.size() : 0;
    for (long i = first; i <= last; ++i) result.push_back(fmt::format("{:0{}}", i, width));
    return result;
  }
  for (size_t begin = 0; begin <= inside.size();) {
    const size_t end = std::min(inside.find(',', begin), inside.size());
    result.push_back(inside.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

void expand_braces(const std::string& pattern, const std::string& list,
                   std::vector<std::string>& out) {
  const size_t open = pattern.find('{');
  if (open == std::string::npos) {
    out.push_back(pattern);
    return;
  }
  const size_t close = pattern.find('}', open);
  check(close != std::string::npos, "{}: a {{ without its }}", list);
  for (const std::string& one : alternatives(pattern.substr(open + 1, close - open - 1), list))
    expand_braces(pattern.substr(0, open) + one + pattern.substr(close + 1), list, out);
}

// The elements of the list with their braces expanded.
std::vector<std::string> patterns_of(const std::string& list) {
  std::vector<std::string> patterns;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find("::", begin), list.size());
    if (end > begin) expand_braces(list.substr(begin, end - begin), list, patterns);
    begin = end + 2;
  }
  return patterns;
}

std::vector<fs::path> expand_wildcards(const std::string& pattern) {
  if (pattern.find_first_of("*?") == std::string::npos) return {pattern};
  const fs::path path = pattern;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (fnmatch(path.filename().c_str(), entry.path().filename().c_str(), 0) == 0)
      found.push_back(path.has_parent_path() ? entry.path() : entry.path().filename());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<fs::path> expand_shards(const std::string& list) {
  std::vector<fs::path> paths;
  for (const std::string& pattern : patterns_of(list))
    for (fs::path& path : expand_wildcards(pattern)) paths.push_back(std::move(path));
  return paths;
}

bool lists_shards(const std::string& list) {
  if (lower(list).find(".tar") == std::string::npos) return false;  // braces mean nothing here
  const auto patterns = patterns_of(list);
  return !patterns.empty() && std::all_of(patterns.begin(), patterns.end(), [](auto& pattern) {
    return lower(pattern).ends_with(".tar");
  });
}

}  // namespace laclip

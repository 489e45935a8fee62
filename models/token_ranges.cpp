#include "models/token_ranges.h"

#include <algorithm>

namespace laclip {

std::optional<int32_t> TokenRanges::take(int32_t count) {
  const auto gap = std::find_if(free_.begin(), free_.end(), [count](const auto& places) {
    return places.second - places.first >= count;
  });
  if (gap == free_.end()) return std::nullopt;
  const auto [begin, end] = *gap;
  free_.erase(gap);
  if (begin + count < end) free_[begin + count] = end;
  return begin;
}

void TokenRanges::give_back(int32_t begin, int32_t count) {
  int32_t end = begin + count;
  auto behind = free_.lower_bound(begin);
  if (behind != free_.end() && behind->first == end) {
    end = behind->second;
    behind = free_.erase(behind);
  }
  if (behind != free_.begin() && std::prev(behind)->second == begin)
    std::prev(behind)->second = end;
  else
    free_[begin] = end;
}

}  // namespace laclip

// Allocates contiguous ranges of pool slots; they may be freed in any order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace laclip {

class TokenRanges {
 public:
  TokenRanges(int32_t begin, int32_t end) {
    if (begin < end) free_[begin] = end;
  }

  // The first place of `count` > 0 free ones, the lowest there are; none if no gap is wide enough.
  std::optional<int32_t> take(int32_t count);
  void give_back(int32_t begin, int32_t count);

 private:
  std::map<int32_t, int32_t> free_;  // the gaps: first place, and the one behind the last
};

}  // namespace laclip

// Time spent in each op, by name; filled while Stream::profile points to it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace laclip {

struct OpProfile {
  struct Entry {
    int64_t calls = 0;
    double seconds = 0;
  };
  std::map<std::string, Entry, std::less<>> ops;
};

}  // namespace laclip

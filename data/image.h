// An image in memory: 8-bit RGB.
#pragma once

#include <cstdint>
#include <vector>

namespace laclip {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height width 3]
};

}  // namespace laclip

// The structure of a PNG: signature, chunks with their checksums, a legal header, image data.
// stb_image decodes PNGs without these checks, and would take damaged pixels for an image.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace laclip {

struct PngHeader {
  int width, height;
  std::string mode;  // as Pillow names it
};
PngHeader check_png(std::span<const std::byte> bytes,
                    const std::string& place);  // throws ImageError

}  // namespace laclip

#include "data/image_write.h"

#include <cstdlib>

#include "base/check.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace laclip {

void write_png(const fs::path& path, const Image& image) {
  int size = 0;
  unsigned char* png =
      stbi_write_png_to_mem(image.rgb.data(), image.width * 3, image.width, image.height, 3, &size);
  check(png != nullptr, "{}: cannot make a PNG of {}×{}", path.string(), image.width, image.height);
  const std::string bytes(reinterpret_cast<char*>(png), size_t(size));
  std::free(png);
  write_atomically(path, bytes);
}

}  // namespace laclip

// Writes images: PNG files, JPEG bytes.
#pragma once

#include "base/file.h"
#include "data/image.h"

namespace laclip {

void write_png(const fs::path& path, const Image& image);  // atomically
std::vector<std::byte> encode_jpeg(const Image& image, int quality);

}  // namespace laclip

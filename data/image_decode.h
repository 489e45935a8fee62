// Decodes images; the format is told by the content. The result is what Pillow's
// Image.open(...).convert("RGB") gives: alpha is dropped, 16-bit gray is cut at 255, CMYK converted
// plainly, EXIF orientation not applied.
//
// JPEG by libjpeg-turbo, WebP by libwebp, PNG (after a check of its structure), GIF, BMP and others
// by stb_image.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/check.h"
#include "data/image.h"

namespace laclip {

enum class ImageFault { unsupported, truncated, corrupt, too_large };
std::string name_of(ImageFault fault);

struct ImageError : Error {
  ImageError(ImageFault f, const std::string& text) : Error(text), fault(f) {}
  ImageFault fault;
};

struct DecodeOptions {
  int64_t max_pixels = 25'000'000;  // looked at before memory is taken
  // > 0: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides stay at least
  // this long and the area at least this large; much faster, and slightly different from a full
  // decode.
  int smallest_side = 0;
  int64_t smallest_area = 0;
};

// Throws ImageError "PLACE: …".
Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options = {},
                   const std::string& place = "image");

struct ImageInfo {
  std::string format;  // JPEG, PNG, WEBP, GIF, …
  std::string mode;    // in Pillow's words: L, RGB, CMYK, P, LA, RGBA, I, 1
  int width = 0, height = 0;
};
// Reads the header only. Throws ImageError.
ImageInfo probe_image(std::span<const std::byte> bytes, const std::string& place = "image");

}  // namespace laclip

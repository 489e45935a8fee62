#include "data/png_check.h"

#include <zlib.h>

#include <cstring>

#include "data/image_decode.h"

namespace laclip {
namespace {

uint32_t big_endian(const std::byte* p) {
  return uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | uint32_t(p[3]);
}

// Colour types and the bit depths that go with them (PNG specification, table 11.1).
std::string mode_of(int color, int depth) {
  const bool small = depth == 1 || depth == 2 || depth == 4, byte = depth == 8, wide = depth == 16;
  switch (color) {
    case 0:
      return depth == 1 ? "1" : wide ? "I" : small || byte ? "L" : "";
    case 2:
      return byte || wide ? "RGB" : "";
    case 3:
      return small || byte ? "P" : "";
    case 4:
      return byte ? "LA" : wide ? "RGBA" : "";
    case 6:
      return byte || wide ? "RGBA" : "";
    default:
      return "";
  }
}

}  // namespace

PngHeader check_png(std::span<const std::byte> bytes, const std::string& place) {
  auto corrupt = [&](const std::string& what) {
    return ImageError(ImageFault::corrupt, place + ": damaged PNG: " + what);
  };
  auto truncated = [&] {
    return ImageError(ImageFault::truncated, place + ": the PNG is cut off");
  };
  PngHeader header{};
  bool has_data = false;
  for (size_t at = 8;;) {
    if (bytes.size() - at < 12) throw truncated();
    const uint32_t length = big_endian(bytes.data() + at);
    const char* type = reinterpret_cast<const char*>(bytes.data()) + at + 4;
    const std::string name(type, 4);
    if (length > bytes.size() - at - 12) throw truncated();
    const std::byte* data = bytes.data() + at + 8;
    // Ancillary chunks (small first letter) may be damaged without harm, and the pixels have a
    // checksum of their own inside; Pillow reads on there, too.
    const bool critical = (type[0] & 32) == 0 && name != "IDAT";
    const auto sum = uint32_t(crc32(0, reinterpret_cast<const Bytef*>(type), length + 4));
    if (critical && sum != big_endian(data + length)) throw corrupt("wrong checksum of " + name);
    if (at == 8) {
      if (name != "IHDR" || length != 13) throw corrupt("it does not start with a header");
      const uint32_t width = big_endian(data), height = big_endian(data + 4);
      if (width == 0 || height == 0 || width > 0x7fffffff || height > 0x7fffffff)
        throw corrupt("impossible size");
      header = {int(width), int(height), mode_of(int(data[9]), int(data[8]))};
      if (header.mode.empty()) throw corrupt("impossible colour type or bit depth");
      if (int(data[10]) != 0 || int(data[11]) != 0 || int(data[12]) > 1)
        throw corrupt("unknown compression, filter or interlace method");
    }
    if (name == "iCCP" || name == "zTXt") {  // a keyword, 0, the method
      const auto* end = static_cast<const std::byte*>(std::memchr(data, 0, length));
      if (end && end + 1 < data + length && int(end[1]) != 0)
        throw corrupt("unknown compression method in " + name);
    }
    has_data |= name == "IDAT";
    if (name == "IEND") break;
    at += 12 + size_t(length);
  }
  if (!has_data) throw corrupt("no image data");
  return header;
}

}  // namespace laclip

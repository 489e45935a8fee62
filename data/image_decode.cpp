#include "data/image_decode.h"

#include <webp/decode.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "data/jpeg.h"
#include "data/png_check.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_JPEG
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS (1 << 20)
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace laclip {
namespace {

using Bytes = std::span<const std::byte>;

bool starts_with(Bytes bytes, std::string_view signature) {
  return bytes.size() >= signature.size() &&
         std::memcmp(bytes.data(), signature.data(), signature.size()) == 0;
}
bool is_jpeg(Bytes bytes) { return starts_with(bytes, "\xff\xd8\xff"); }
bool is_png(Bytes bytes) { return starts_with(bytes, std::string_view("\x89PNG\r\n\x1a\n", 8)); }
bool is_webp(Bytes bytes) {
  return bytes.size() >= 12 && starts_with(bytes, "RIFF") && starts_with(bytes.subspan(8), "WEBP");
}

const stbi_uc* data_of(Bytes bytes) { return reinterpret_cast<const stbi_uc*>(bytes.data()); }

void check_pixels(int width, int height, const DecodeOptions& options, const std::string& place) {
  if (int64_t(width) * height > options.max_pixels)
    throw ImageError(
        ImageFault::too_large,
        fmt::format("{}: {}×{} pixels are more than the limit of {} (--max-image-pixels)", place,
                    width, height, options.max_pixels));
}

Image decode_webp(Bytes bytes, const DecodeOptions& options, const std::string& place) {
  Image image;
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  if (!WebPGetInfo(data, bytes.size(), &image.width, &image.height))
    throw ImageError(ImageFault::corrupt, place + ": not a WebP image that can be read");
  check_pixels(image.width, image.height, options, place);
  image.rgb.resize(size_t(image.width) * size_t(image.height) * 3);
  if (!WebPDecodeRGBInto(data, bytes.size(), image.rgb.data(), image.rgb.size(), image.width * 3))
    throw ImageError(ImageFault::corrupt, place + ": damaged or animated WebP image");
  return image;
}

// Everything that stb_image reads, 16-bit gray included.
Image decode_stb(Bytes bytes, const DecodeOptions& options, const std::string& place) {
  Image image;
  int channels = 0;
  if (bytes.size() > INT_MAX || !stbi_info_from_memory(data_of(bytes), int(bytes.size()),
                                                       &image.width, &image.height, &channels))
    throw ImageError(ImageFault::unsupported,
                     place + ": not an image of a known format (JPEG, PNG, WebP, GIF, BMP, …)");
  check_pixels(image.width, image.height, options, place);
  image.rgb.resize(size_t(image.width) * size_t(image.height) * 3);
  const bool wide_gray =
      channels == 1 && stbi_is_16_bit_from_memory(data_of(bytes), int(bytes.size()));
  void* pixels = nullptr;
  if (wide_gray)
    pixels = stbi_load_16_from_memory(data_of(bytes), int(bytes.size()), &image.width,
                                      &image.height, &channels, 1);
  else
    pixels = stbi_load_from_memory(data_of(bytes), int(bytes.size()), &image.width, &image.height,
                                   &channels, 3);
  if (!pixels)
    throw ImageError(ImageFault::corrupt,
                     fmt::format("{}: damaged image ({})", place, stbi_failure_reason()));
  if (wide_gray) {  // Pillow's conversion of mode I
    const auto* gray = static_cast<const uint16_t*>(pixels);
    for (size_t i = 0; i < image.rgb.size(); ++i)
      image.rgb[i] = uint8_t(std::min<int>(gray[i / 3], 255));
  } else {
    std::memcpy(image.rgb.data(), pixels, image.rgb.size());
  }
  stbi_image_free(pixels);
  return image;
}

}  // namespace

std::string name_of(ImageFault fault) {
  switch (fault) {
    case ImageFault::unsupported:
      return "unsupported format";
    case ImageFault::truncated:
      return "truncated image";
    case ImageFault::corrupt:
      return "corrupt image";
    case ImageFault::too_large:
      return "too many pixels";
  }
  return "";
}

Image decode_image(Bytes bytes, const DecodeOptions& options, const std::string& place) {
  if (bytes.empty()) throw ImageError(ImageFault::truncated, place + ": an empty file");
  if (is_jpeg(bytes)) return decode_jpeg(bytes, options, place);
  if (is_webp(bytes)) return decode_webp(bytes, options, place);
  if (is_png(bytes)) {
    const PngHeader header = check_png(bytes, place);
    check_pixels(header.width, header.height, options, place);
  }
  return decode_stb(bytes, options, place);
}

ImageInfo probe_image(Bytes bytes, const std::string& place) {
  if (bytes.empty()) throw ImageError(ImageFault::truncated, place + ": an empty file");
  if (is_jpeg(bytes)) return probe_jpeg(bytes, place);
  ImageInfo info;
  if (is_png(bytes)) {
    const PngHeader header = check_png(bytes, place);
    return {"PNG", header.mode, header.width, header.height};
  }
  if (is_webp(bytes)) {
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), &features) !=
        VP8_STATUS_OK)
      throw ImageError(ImageFault::corrupt, place + ": not a WebP image that can be read");
    return {"WEBP", features.has_alpha ? "RGBA" : "RGB", features.width, features.height};
  }
  int channels = 0;
  if (bytes.size() > INT_MAX || !stbi_info_from_memory(data_of(bytes), int(bytes.size()),
                                                       &info.width, &info.height, &channels))
    throw ImageError(ImageFault::unsupported,
                     place + ": not an image of a known format (JPEG, PNG, WebP, GIF, BMP, …)");
  info.format = starts_with(bytes, "GIF8") ? "GIF" : starts_with(bytes, "BM") ? "BMP" : "other";
  info.mode = channels == 1 ? "L" : channels == 2 ? "LA" : channels == 3 ? "RGB" : "RGBA";
  return info;
}

}  // namespace laclip

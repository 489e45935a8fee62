#include "apps/report/thumbnail.h"

#include <algorithm>
#include <cstdint>

#include "data/image_decode.h"
#include "data/image_resize.h"
#include "data/image_write.h"

namespace laclip {

constexpr int kSide = 128, kQuality = 82;

std::string base64(std::span<const std::byte> bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) word = word << 8 | (j < count ? uint32_t(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) text += j <= count ? kDigits[word >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string thumbnail(std::span<const std::byte> bytes, const std::string& place) {
  const Image image = decode_image(bytes, {.smallest_side = kSide}, place);
  const double factor = std::min(1.0, double(kSide) / std::max(image.width, image.height));
  const int width = std::max(1, int(image.width * factor + 0.5)),
            height = std::max(1, int(image.height * factor + 0.5));
  const Image small =
      resize(image, {0, 0, image.width, image.height}, width, height, Interpolation::bicubic);
  return "data:image/jpeg;base64," + base64(encode_jpeg(small, kQuality));
}

}  // namespace laclip

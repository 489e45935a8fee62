#include "data/image_augment.h"

#include <algorithm>
#include <cmath>

namespace laclip {
namespace {

// Python's round(): halves go to the even number.
int round_half_even(double x) { return int(std::nearbyint(x)); }

}  // namespace

Image evaluation_crop(const Image& image, int size, Interpolation interpolation) {
  const int64_t shorter = std::min(image.width, image.height),
                longer = std::max(image.width, image.height);
  const int64_t scaled = size * longer / shorter;
  const auto margin = int64_t(std::nearbyint(double(scaled - size) / 2));  // halves to even
  const Window whole{size, 0, size}, centre{scaled, margin, size};
  const bool upright = image.width <= image.height;
  return resize_window(image, {0, 0, image.width, image.height}, upright ? whole : centre,
                       upright ? centre : whole, interpolation);
}

Crop random_crop(int width, int height, CropScale scale, Random& random) {
  constexpr double kMost = kWidestRatio, kLeast = 1 / kMost;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = double(width) * height * double(random.uniform(scale.least, scale.most));
    const double ratio =
        std::exp(double(random.uniform(float(std::log(kLeast)), float(std::log(kMost)))));
    const int w = round_half_even(std::sqrt(area * ratio)),
              h = round_half_even(std::sqrt(area / ratio));
    if (w > 0 && h > 0 && w <= width && h <= height) {
      const int top = int(random.below(uint32_t(height - h + 1)));
      return {int(random.below(uint32_t(width - w + 1))), top, w, h};
    }
  }
  const double ratio = double(width) / height;
  const int w = ratio > kMost ? round_half_even(height * kMost) : width;
  const int h = ratio < kLeast ? round_half_even(width / kLeast) : height;
  return {(width - w) / 2, (height - h) / 2, w, h};
}

ImageCrop cut_crop(const Image& image, Crop crop, int size, Interpolation interpolation) {
  ImageCrop result{{crop.width, crop.height, {}},
                   make_taps(crop.width, {size, 0, size}, interpolation),
                   make_taps(crop.height, {size, 0, size}, interpolation)};
  const int64_t line = int64_t(crop.width) * 3;
  result.image.rgb.reserve(size_t(line * crop.height));
  for (int y = crop.top; y < crop.top + crop.height; ++y) {
    const auto begin = image.rgb.begin() + (int64_t(y) * image.width + crop.left) * 3;
    result.image.rgb.insert(result.image.rgb.end(), begin, begin + line);
  }
  return result;
}

}  // namespace laclip

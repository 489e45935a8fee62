#include "data/image_resize.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace laclip {
namespace {

constexpr int kBits = 32 - 8 - 2;  // of a coefficient: 8 for the pixel, 2 for sums beyond one

double bilinear(double x) { return x < 0 ? bilinear(-x) : x < 1 ? 1 - x : 0; }
double bicubic(double x) {  // Keys, a = -1/2
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// For each output the first input, how many, and their weights.
struct Weights {
  std::vector<int> first, count, values;
  int most = 0;  // stride of values
};

Weights make_weights(int in, int out, Interpolation interpolation) {
  const double scale = double(in) / out, widening = std::max(scale, 1.0);
  const double support = (interpolation == Interpolation::bicubic ? 2.0 : 1.0) * widening;
  Weights w;
  w.most = int(std::ceil(support)) * 2 + 1;
  w.values.assign(size_t(out) * size_t(w.most), 0);
  std::vector<double> k(size_t(w.most), 0.0);
  for (int o = 0; o < out; ++o) {
    const double center = (o + 0.5) * scale;
    const int begin = std::max(0, int(center - support + 0.5));
    const int count = std::min(in, int(center + support + 0.5)) - begin;
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const double x = (i + begin - center + 0.5) / widening;
      sum += k[size_t(i)] = interpolation == Interpolation::bicubic ? bicubic(x) : bilinear(x);
    }
    for (int i = 0; i < count; ++i) {
      const double fixed = (sum != 0 ? k[size_t(i)] / sum : k[size_t(i)]) * (1 << kBits);
      w.values[size_t(o) * size_t(w.most) + size_t(i)] = int(fixed + (fixed < 0 ? -0.5 : 0.5));
    }
    w.first.push_back(begin);
    w.count.push_back(count);
  }
  return w;
}

uint8_t round_to_byte(int sum) { return uint8_t(std::clamp(sum >> kBits, 0, 255)); }

}  // namespace

Interpolation parse_interpolation(const std::string& name) {
  if (name == "bilinear") return Interpolation::bilinear;
  if (name == "bicubic") return Interpolation::bicubic;
  fail_usage("interpolation '{}': bilinear and bicubic are possible", name);
}

Image resize(const Image& image, Crop crop, int width, int height, Interpolation interpolation) {
  check(crop.width > 0 && crop.height > 0 && width > 0 && height > 0 && crop.left >= 0 &&
            crop.top >= 0 && crop.left + crop.width <= image.width &&
            crop.top + crop.height <= image.height,
        "resize: crop {}×{} at {},{} of an image of {}×{}", crop.width, crop.height, crop.left,
        crop.top, image.width, image.height);
  const int half = 1 << (kBits - 1);

  // Horizontal: rows of the crop to `width`.
  const size_t row = size_t(width) * 3;
  std::vector<uint8_t> narrow(row * size_t(crop.height));
  const Weights across = make_weights(crop.width, width, interpolation);
  for (int y = 0; y < crop.height; ++y) {
    const uint8_t* in =
        image.rgb.data() + (size_t(crop.top + y) * size_t(image.width) + size_t(crop.left)) * 3;
    uint8_t* out = narrow.data() + size_t(y) * row;
    if (width == crop.width) {
      std::copy_n(in, row, out);
      continue;
    }
    for (int x = 0; x < width; ++x) {
      const int* k = across.values.data() + size_t(x) * size_t(across.most);
      const uint8_t* pixel = in + size_t(across.first[size_t(x)]) * 3;
      int r = half, g = half, b = half;
      for (int i = 0; i < across.count[size_t(x)]; ++i, pixel += 3) {
        r += pixel[0] * k[i];
        g += pixel[1] * k[i];
        b += pixel[2] * k[i];
      }
      *out++ = round_to_byte(r);
      *out++ = round_to_byte(g);
      *out++ = round_to_byte(b);
    }
  }
  if (height == crop.height) return {width, height, std::move(narrow)};

  // Vertical: whole rows are added up, which vectorises.
  Image result{width, height, std::vector<uint8_t>(row * size_t(height))};
  const Weights down = make_weights(crop.height, height, interpolation);
  std::vector<int> sums(row);
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), half);
    for (int i = 0; i < down.count[size_t(y)]; ++i) {
      const int k = down.values[size_t(y) * size_t(down.most) + size_t(i)];
      const uint8_t* in = narrow.data() + size_t(down.first[size_t(y)] + i) * row;
      for (size_t j = 0; j < row; ++j) sums[j] += in[j] * k;
    }
    uint8_t* out = result.rgb.data() + size_t(y) * row;
    for (size_t j = 0; j < row; ++j) out[j] = round_to_byte(sums[j]);
  }
  return result;
}

}  // namespace laclip

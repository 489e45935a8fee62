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

uint8_t round_to_byte(int sum) { return uint8_t(std::clamp(sum >> kBits, 0, 255)); }

}  // namespace

Taps make_taps(int in, Window out, Interpolation interpolation) {
  const double scale = double(in) / double(out.size), widening = std::max(scale, 1.0);
  const double support = (interpolation == Interpolation::bicubic ? 2.0 : 1.0) * widening;
  Taps w;
  w.most = int(std::ceil(support)) * 2 + 1;
  w.weights.assign(size_t(out.count) * size_t(w.most), 0);
  std::vector<double> k(size_t(w.most), 0.0);
  for (int o = 0; o < out.count; ++o) {
    const double center = (double(out.first + o) + 0.5) * scale;
    const int begin = std::max(0, int(center - support + 0.5));
    const int count = std::min(in, int(center + support + 0.5)) - begin;
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const double x = (i + begin - center + 0.5) / widening;
      sum += k[size_t(i)] = interpolation == Interpolation::bicubic ? bicubic(x) : bilinear(x);
    }
    for (int i = 0; i < count; ++i) {
      const double fixed = (sum != 0 ? k[size_t(i)] / sum : k[size_t(i)]) * (1 << kBits);
      w.weights[size_t(o) * size_t(w.most) + size_t(i)] = int(fixed + (fixed < 0 ? -0.5 : 0.5));
    }
    w.first.push_back(begin);
    w.count.push_back(count);
  }
  return w;
}

Interpolation parse_interpolation(const std::string& name) {
  if (name == "bilinear") return Interpolation::bilinear;
  if (name == "bicubic") return Interpolation::bicubic;
  fail_usage("interpolation '{}': bilinear and bicubic are possible", name);
}

Image resize(const Image& image, Crop crop, int width, int height, Interpolation interpolation) {
  return resize_window(image, crop, {width, 0, width}, {height, 0, height}, interpolation);
}

// Where a size does not change, the weights are one at the pixel itself: an exact copy.
Image resize_window(const Image& image, Crop crop, Window across, Window down,
                    Interpolation interpolation) {
  check(crop.width > 0 && crop.height > 0 && crop.left >= 0 && crop.top >= 0 &&
            crop.left + crop.width <= image.width && crop.top + crop.height <= image.height,
        "resize: crop {}×{} at {},{} of an image of {}×{}", crop.width, crop.height, crop.left,
        crop.top, image.width, image.height);
  for (const Window& w : {across, down})
    check(w.count > 0 && w.first >= 0 && w.first + w.count <= w.size,
          "resize: {} pixels from {} of {}", w.count, w.first, w.size);
  const Taps columns = make_taps(crop.width, across, interpolation);
  const Taps rows = make_taps(crop.height, down, interpolation);
  const int half = 1 << (kBits - 1);

  // Horizontal: the rows that the vertical pass will read.
  const int first_row = rows.first.front(), end_row = rows.first.back() + rows.count.back();
  const size_t row = size_t(across.count) * 3;
  std::vector<uint8_t> narrow(row * size_t(end_row - first_row));
  uint8_t* out = narrow.data();
  for (int y = first_row; y < end_row; ++y) {
    const uint8_t* in =
        image.rgb.data() + (size_t(crop.top + y) * size_t(image.width) + size_t(crop.left)) * 3;
    for (int x = 0; x < across.count; ++x) {
      const int* k = columns.weights.data() + size_t(x) * size_t(columns.most);
      const uint8_t* pixel = in + size_t(columns.first[size_t(x)]) * 3;
      int r = half, g = half, b = half;
      for (int i = 0; i < columns.count[size_t(x)]; ++i, pixel += 3) {
        r += pixel[0] * k[i];
        g += pixel[1] * k[i];
        b += pixel[2] * k[i];
      }
      *out++ = round_to_byte(r);
      *out++ = round_to_byte(g);
      *out++ = round_to_byte(b);
    }
  }

  // Vertical: whole rows are added up, which vectorises.
  Image result{across.count, down.count, std::vector<uint8_t>(row * size_t(down.count))};
  std::vector<int> sums(row);
  for (int y = 0; y < down.count; ++y) {
    std::fill(sums.begin(), sums.end(), half);
    for (int i = 0; i < rows.count[size_t(y)]; ++i) {
      const int k = rows.weights[size_t(y) * size_t(rows.most) + size_t(i)];
      const uint8_t* in = narrow.data() + size_t(rows.first[size_t(y)] + i - first_row) * row;
      for (size_t j = 0; j < row; ++j) sums[j] += in[j] * k;
    }
    uint8_t* line = result.rgb.data() + size_t(y) * row;
    for (size_t j = 0; j < row; ++j) line[j] = round_to_byte(sums[j]);
  }
  return result;
}

}  // namespace laclip

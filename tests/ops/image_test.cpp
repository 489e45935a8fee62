#include "kernels/ops/image.h"

#include "tests/harness/error_of.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

// Crops with drawn pixels and taps, as the op takes them.
struct Crops {
  Doubles pixels, crops, taps;
  Random random{1, RandomUse::test};

  // Some weights are below zero, as bicubic ones are, so that sums leave 0..255.
  int add_axis(int inputs, int64_t outputs, int most) {
    const auto at = int(taps.size());
    Doubles first, count, weights;
    for (int64_t o = 0; o < outputs; ++o) {
      count.push_back(1 + int(random.below(uint32_t(std::min(most, inputs)))));
      first.push_back(int(random.below(uint32_t(inputs - int(count.back()) + 1))));
      double left = 1 << 22;  // of a sum of one
      for (int i = 0; i < most; ++i) {
        const auto one = uint32_t(1 << 22);
        const double drawn = double(random.below(2 * one / uint32_t(most))) - one / 8;
        const double w = i + 1 < int(count.back()) ? drawn : left;
        weights.push_back(i < int(count.back()) ? w : 12345);  // one that does not count
        left -= w;
      }
    }
    taps.push_back(most);
    for (const Doubles* list : {&first, &count, &weights})
      taps.insert(taps.end(), list->begin(), list->end());
    return at;
  }
  void add(int width, int height, int64_t R, int64_t S, int most) {
    while (pixels.size() % kCropAlignment != 0) pixels.push_back(7);
    const int columns = add_axis(width, S, most), rows = add_axis(height, R, most + 1);
    for (int value : {int(pixels.size() / kCropAlignment), width, height, columns, rows})
      crops.push_back(value);
    for (int i = 0; i < width * height * 3; ++i) pixels.push_back(random.below(256));
  }
  Sizes sizes(int64_t R, int64_t S) const {
    return {{'B', int64_t(crops.size()) / kCropFields},
            {'R', R},
            {'S', S},
            {'L', int64_t(pixels.size())},
            {'F', kCropFields},
            {'K', int64_t(taps.size())}};
  }
  OpInputs inputs() const {
    return {.given = {{"pixels", pixels}, {"crops", crops}, {"taps", taps}}};
  }
};

double to_byte(double sum) {
  return std::clamp(std::floor((sum + (1 << 21)) / (1 << 22)), 0.0, 255.0);
}

// The definition, in exact doubles.
void reference(Values<double>& t) {
  const int64_t R = t('R'), S = t('S');
  for (int64_t i = 0; i < t('B') * R * S * 3; ++i) {
    const int64_t b = i / (R * S * 3), w = i / (S * 3) % R, u = i / 3 % S, c = i % 3;
    const double* crop = &t["crops"][size_t(b * kCropFields)];
    const double *columns = &t["taps"][size_t(crop[3])], *rows = &t["taps"][size_t(crop[4])];
    double sum = 0;
    for (int v = 0; v < int(rows[1 + R + w]); ++v) {
      double across = 0;
      for (int h = 0; h < int(columns[1 + S + u]); ++h) {
        const double at = crop[0] * kCropAlignment +
                          ((rows[1 + w] + v) * crop[1] + columns[1 + u] + h) * 3 + double(c);
        across += t["pixels"][size_t(at)] * columns[1 + 2 * S + u * int64_t(columns[0]) + h];
      }
      sum += to_byte(across) * rows[1 + 2 * R + w * int64_t(rows[0]) + v];
    }
    t["y"][size_t(i)] = to_byte(sum);
  }
}

TEST(ResizeCrops, SumsUpTheTapsOfBothPasses) {
  for (auto [R, S] : {std::pair{1, 1}, {3, 5}, {8, 8}}) {
    Crops crops;
    crops.add(1, 1, R, S, 1);  // one pixel
    crops.add(9, 7, R, S, 4);
    crops.add(30, 41, R, S, 12);
    check_op(resize_crops, crops.sizes(R, S), reference, std::tuple{}, crops.inputs());
  }
}

TEST(ResizeCrops, WhatLeadsOutsideIsNamed) {
  Crops good;
  good.add(4, 4, 2, 2, 2);
  good.add(5, 3, 2, 2, 2);
  const auto error_with = [&](const Crops& crops, Device device) {
    const auto operand = [&](const Doubles& values, Shape shape, DType type) {
      Guarded guarded(shape, type, device);
      guarded.store(values);
      return guarded;
    };
    const auto count = [](const Doubles& list) { return int64_t(list.size()); };
    const Guarded y({2, 2, 2, 3}, DType::u8, device),
        pixels = operand(crops.pixels, {count(crops.pixels)}, DType::u8),
        fields = operand(crops.crops, {2, count(crops.crops) / 2}, DType::i32),
        taps = operand(crops.taps, {count(crops.taps)}, DType::i32);
    Stream stream(device);
    return error_of([&] {
      resize_crops(stream, y.tensor, pixels.tensor, fields.tensor, taps.tensor);
      stream.synchronize();
    });
  };
  for (Device device : test_devices()) {
    EXPECT_EQ(error_with(good, device), "");
    const auto second = [&](size_t field, double value) {
      Crops bad = good;
      bad.crops[size_t(kCropFields) + field] = value;
      return error_with(bad, device);
    };
    for (const auto& [field, value] : std::vector<std::pair<size_t, double>>{
             {0, -1}, {0, 100}, {1, 40}, {1, -2}, {2, 99}, {3, -1}, {3, 4000}, {4, 4000}, {1, 1}}) {
      const std::string error = second(field, value);
      EXPECT_NE(error.find(device == Device::cpu ? "crop 1" : "row 1"), std::string::npos)
          << name_of(device) << ' ' << field << ' ' << value << ": " << error;
    }
    Crops far = good;  // whose end is beyond 32 bits
    far.taps[size_t(far.crops[size_t(kCropFields) + 3]) + 1] = 2147483647;
    EXPECT_NE(error_with(far, device), "");
    Crops bad = good;
    bad.crops.insert(bad.crops.end(), {0, 0});  // six fields
    EXPECT_EQ(error_with(bad, device), "resize_crops: a crop has 5 fields and not 6");
  }
}

}  // namespace
}  // namespace laclip::test

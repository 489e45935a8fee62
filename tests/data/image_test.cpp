#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "data/image_augment.h"
#include "data/image_decode.h"
#include "data/image_write.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

struct Difference {
  int most = 0;
  double mean = 0;
};
Difference difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height) return {999, 999};
  Difference d;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const int by = std::abs(int(a.rgb[i]) - int(b.rgb[i]));
    d.most = std::max(d.most, by);
    d.mean += double(by) / double(a.rgb.size());
  }
  return d;
}

Image gradient(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb.push_back(uint8_t((c == 0 ? x * 255 / width : c == 1 ? y * 255 / height : 128)));
  return image;
}

std::vector<Json> rows_of(const fs::path& path) {
  std::vector<Json> rows;
  for (const std::string& line : read_lines(path)) rows.push_back(Json::parse(line));
  return rows;
}

TEST(Preprocess, EqualsPillow) {
  LACLIP_REFERENCE_DATA("preprocess-reference");
  const fs::path folder = test::reference_data("preprocess-reference");
  int compared = 0;
  for (const Json& row : rows_of(folder / "cases.jsonl")) {
    if (!row.contains("decoded") || !fs::exists(folder / row["decoded"].get<std::string>()))
      continue;
    const Image image = decode_image(read_bytes(folder / row["decoded"].get<std::string>()));
    for (const char* kind : {"bicubic", "bilinear"}) {
      const Image want = decode_image(read_bytes(folder / row[kind].get<std::string>()));
      const Difference d = difference(evaluation_crop(image, 224, parse_interpolation(kind)), want);
      EXPECT_LE(d.most, 1) << row["source"] << " " << kind;
      EXPECT_LE(d.mean, 0.02) << row["source"] << " " << kind;
      ++compared;
    }
  }
  EXPECT_GE(compared, 20);
}

TEST(OddImages, EveryVerdictAndDecode) {
  LACLIP_REFERENCE_DATA("odd-images");
  const fs::path root = test::reference_data("odd-images");
  int count = 0;
  for (const Json& row : rows_of(root / "expected_pillow9.4.jsonl")) {
    const auto name = row["file"].get<std::string>();
    const auto bytes = read_bytes(root.parent_path() / name);
    // Pillow refuses this file for its EXIF block, which is cut off; its pixels are whole.
    const bool only_exif = name.ends_with("truncated_exif_dpi.jpg");
    const bool sound = row["status"] == "ok" || only_exif;
    ++count;
    try {
      const Image image = decode_image(bytes, {}, name);
      EXPECT_TRUE(sound) << name << ": decoded, expected " << row["status"] << " " << row["error"];
      if (!sound || only_exif) continue;
      EXPECT_EQ(image.width, row["size"][0]) << name;
      EXPECT_EQ(image.height, row["size"][1]) << name;
      if (row.contains("ref_png") && row["ref_png"].is_string()) {
        const Image want = decode_image(read_bytes(root / row["ref_png"].get<std::string>()));
        EXPECT_LE(difference(image, want).most, 2) << name;
      }
      double mean[3] = {};
      for (size_t i = 0; i < image.rgb.size(); ++i) mean[i % 3] += image.rgb[i];
      for (size_t c = 0; c < 3; ++c)
        EXPECT_NEAR(mean[c] * 3 / double(image.rgb.size()), row["rgb_mean"][c].get<double>(), 0.5)
            << name;
      const ImageInfo info = probe_image(bytes, name);
      EXPECT_EQ(info.mode, row["mode"].get<std::string>()) << name;
    } catch (const ImageError& error) {
      EXPECT_FALSE(sound) << error.what();
    }
  }
  EXPECT_EQ(count, 165);
}

TEST(FuzzImages, NothingCrashes) {
  LACLIP_REFERENCE_DATA("fuzz-corpora");
  int decoded = 0, refused = 0;
  for (const char* folder : {"fuzz-corpora/gofuzz_jpeg", "fuzz-corpora/gofuzz_png"}) {
    if (!fs::exists(test::reference_data(folder))) continue;
    for (const auto& entry : fs::recursive_directory_iterator(test::reference_data(folder))) {
      if (!entry.is_regular_file()) continue;
      const auto bytes = read_bytes(entry.path());
      try {
        decode_image(bytes, {.max_pixels = 4'000'000}, entry.path().string());
        ++decoded;
      } catch (const ImageError&) {
        ++refused;
      }
      try {
        probe_image(bytes);
      } catch (const ImageError&) {
      }
    }
  }
  EXPECT_GT(decoded + refused, 250);
}

TEST(Preprocess, AWindowIsAPartOfTheWhole) {
  const Image image = gradient(61, 47);
  const Crop all{0, 0, 61, 47};
  for (const Interpolation kind : {Interpolation::bilinear, Interpolation::bicubic})
    for (const auto& [width, height] : {std::pair{61, 47}, {200, 33}, {20, 180}}) {
      const Image whole = resize(image, all, width, height, kind);
      const Image part = resize_window(image, all, {width, 7, 11}, {height, 3, 29}, kind);
      for (int y = 0; y < 29; ++y)
        for (int x = 0; x < 11 * 3; ++x)
          ASSERT_EQ(part.rgb[size_t(y * 33 + x)], whole.rgb[size_t(((y + 3) * width + 7) * 3 + x)]);
    }
  EXPECT_EQ(difference(resize(image, all, 61, 47, Interpolation::bicubic), image).most, 0);
}

// Resized, it is four billion pixels long: the square shows half of each pixel in its middle.
TEST(Preprocess, AThreadOfAnImage) {
  constexpr size_t kHalf = 10'000'000 * 3;
  Image thread{1, 20'000'000, std::vector<uint8_t>(2 * kHalf, 20)};
  std::fill(thread.rgb.begin() + kHalf, thread.rgb.end(), 200);
  const Image upright = evaluation_crop(thread, 224, Interpolation::bilinear);
  for (int y : {0, 56, 112, 168, 223})
    EXPECT_NEAR(upright.rgb[size_t(y) * 224 * 3], 20 + 180 * (y + 0.5) / 224, 1) << y;
  std::swap(thread.width, thread.height);
  const Image lying = evaluation_crop(thread, 224, Interpolation::bilinear);
  for (int x : {0, 56, 112, 168, 223})
    EXPECT_EQ(lying.rgb[size_t(x) * 3], upright.rgb[size_t(x) * 224 * 3]) << x;
}

TEST(Jpeg, WriteReadAndScaledRead) {
  const Image image = gradient(640, 480);
  const auto bytes = encode_jpeg(image, 95);
  EXPECT_LE(difference(decode_image(bytes), image).mean, 2);
  const Image half = decode_image(bytes, {.smallest_side = 224});
  EXPECT_EQ(half.width, 320);
  EXPECT_EQ(decode_image(bytes, {.smallest_side = 224, .smallest_area = 320 * 240}).width, 320);
  EXPECT_EQ(decode_image(bytes, {.smallest_side = 224, .smallest_area = 320 * 240 + 1}).width, 640);
  const Difference d = difference(evaluation_crop(half, 224, Interpolation::bilinear),
                                  evaluation_crop(image, 224, Interpolation::bilinear));
  EXPECT_LE(d.mean, 2);
}

ImageFault fault_of(const std::vector<std::byte>& bytes, const DecodeOptions& options = {}) {
  try {
    decode_image(bytes, options);
  } catch (const ImageError& error) {
    return error.fault;
  }
  ADD_FAILURE() << "decoded";
  return ImageFault::unsupported;
}

TEST(Decode, FaultsAreTold) {
  auto bytes = encode_jpeg(gradient(64, 64), 90);
  EXPECT_EQ(fault_of(bytes, {.max_pixels = 1000}), ImageFault::too_large);
  bytes.resize(bytes.size() / 2);
  EXPECT_EQ(fault_of(bytes), ImageFault::truncated);
  EXPECT_EQ(fault_of({}), ImageFault::truncated);
  EXPECT_EQ(fault_of(std::vector<std::byte>(100, std::byte('x'))), ImageFault::unsupported);
}

TEST(Png, WriteAndReadIsExact) {
  test::TemporaryFolder folder;
  const Image image = gradient(33, 17);
  write_png(folder / "a.png", image);
  auto bytes = read_bytes(folder / "a.png");
  EXPECT_EQ(difference(decode_image(bytes), image).most, 0);
  bytes[60] ^= std::byte(1);
  EXPECT_EQ(fault_of(bytes), ImageFault::corrupt);
}

TEST(RandomCrop, StaysInsideAndFollowsItsScale) {
  double share = 0;
  const int draws = 2000;
  for (int i = 0; i < draws; ++i) {
    Random random(1, RandomUse::crop, uint64_t(i));
    const Crop crop = random_crop(200, 150, {0.5f, 1.0f}, random);
    ASSERT_GE(crop.left, 0);
    ASSERT_GE(crop.top, 0);
    ASSERT_LE(crop.left + crop.width, 200);
    ASSERT_LE(crop.top + crop.height, 150);
    const double area = crop.width * crop.height / (200.0 * 150.0);
    EXPECT_GT(area, 0.48);
    share += area / draws;
  }
  EXPECT_GT(share, 0.62);  // below the mean 0.75: large crops of an odd ratio do not fit
  EXPECT_LT(share, 0.78);
  Random a(1, RandomUse::crop, 7), b(1, RandomUse::crop, 7);
  EXPECT_EQ(random_crop(90, 80, {}, a).left, random_crop(90, 80, {}, b).left);
  Random strip(1, RandomUse::crop, 1);
  EXPECT_EQ(random_crop(1000, 10, {1.0f, 1.0f}, strip).height, 10);  // nothing fits: the centre
}

}  // namespace
}  // namespace laclip

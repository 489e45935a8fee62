// The images that a GPU makes of crops as they were decoded are those that the loader makes, to the bit.
#include "apps/train/decoded_crops.h"

#include <gtest/gtest.h>

#include "data/image_write.h"
#include "data/loader.h"
#include "data/tar_write.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/ops/image.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

std::unique_ptr<SampleSource> drawn_images(const test::TemporaryFolder& folder) {
  TarWriter tar;
  Random random(3, RandomUse::test);
  for (int i = 0; i < 6; ++i) {
    Image image{20 + 37 * i, 90 - 11 * i, {}};  // some grow, some shrink by four
    for (int p = 0; p < image.width * image.height * 3; ++p)
      image.rgb.push_back(uint8_t(random.below(256)));
    const auto jpeg = encode_jpeg(image, 95);
    tar.add(fmt::format("{}.jpg", i),
            std::string(reinterpret_cast<const char*>(jpeg.data()), jpeg.size()))
        .add(fmt::format("{}.txt", i), "a caption");
  }
  write_atomically(folder / "0.tar", tar.finish());
  return open_samples((folder / "0.tar").string(), {});
}

TEST(DecodedCrops, GiveTheLoadersImages) {
  const test::TemporaryFolder folder;
  const auto source = drawn_images(folder);
  const int64_t B = 3, R = 24;
  for (Interpolation interpolation : {Interpolation::bilinear, Interpolation::bicubic}) {
    LoaderOptions options;
    options.batch_size = B;
    options.image_size = int(R);
    options.scale = {0.2f, 1.0f};
    options.interpolation = interpolation;
    Loader resized(*source, options);
    options.resize = false;
    Loader decoded(*source, options);
    for (int step = 0; step < 4; ++step) {
      const Batch want = resized.next(), crops = decoded.next();
      EXPECT_EQ(crops.samples, want.samples);
      EXPECT_TRUE(crops.images.empty() && want.crops.empty());
      const std::vector<DecodedCrop> views = decoded_crops(crops.crops);
      const CropLayout layout(views);
      for (Device device : {Device::cpu, Device::cuda}) {
        if (device == Device::cuda && cuda_devices() == 0) continue;
        std::vector<std::byte> bytes(static_cast<size_t>(layout.bytes()));
        layout.write(bytes.data());
        const Buffer memory("crops", layout.bytes(), device),
            images("images", B * R * R * 3, device);
        const Tensor packed = memory.tensor({layout.bytes()}, DType::u8),
                     y = images.tensor({B, R, R, 3}, DType::u8);
        copy_from_host(packed,
                       tensor_of(reinterpret_cast<uint8_t*>(bytes.data()), {layout.bytes()}));
        const CropTensors operands = layout.tensors(packed);
        Stream stream(device);
        resize_crops(stream, y, operands.pixels, operands.crops, operands.taps);
        stream.synchronize();
        const HostCopy got(y);
        EXPECT_EQ(std::memcmp(got.tensor().data, want.images.data(), want.images.size()), 0)
            << name_of(device) << " step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace laclip

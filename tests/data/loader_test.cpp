// Batches: the same whatever the threads, exact to seek, broken samples replaced by rule.
#include "data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "data/image_write.h"
#include "data/tar_write.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using test::error_of;
using ::testing::HasSubstr;

class LoaderTest : public testing::Test {
 protected:
  static constexpr int kSamples = 23;
  // A shard of small images, each of its own colour; broken ones hold no image.
  std::unique_ptr<SampleSource> make_source(const std::set<int>& broken = {}) {
    TarWriter tar;
    for (int i = 0; i < kSamples; ++i) {
      Image image{12 + i % 5, 10 + i % 3, {}};
      for (int p = 0; p < image.width * image.height; ++p)
        for (int c : {i * 10, 255 - i * 10, p}) image.rgb.push_back(uint8_t(c));
      const auto jpeg = encode_jpeg(image, 95);
      std::string bytes(reinterpret_cast<const char*>(jpeg.data()), jpeg.size());
      if (broken.count(i)) bytes = "this is no image";
      tar.add(fmt::format("{:03}.jpg", i), bytes)
          .add(fmt::format("{:03}.txt", i), fmt::format("number {}", i));
    }
    write_atomically(folder_ / "0.tar", tar.finish());
    return open_samples((folder_ / "0.tar").string(), {});
  }
  static LoaderOptions options(int workers) {
    LoaderOptions o;
    o.batch_size = 4;
    o.image_size = 8;
    o.workers = workers;
    o.scale = {0.3f, 1.0f};
    o.seed = 7;
    return o;
  }
  test::TemporaryFolder folder_;
};

TEST_F(LoaderTest, BatchesDoNotDependOnThreadsOrSeek) {
  const auto source = make_source({3, 11});
  Loader one(*source, options(1)), two(*source, options(2)), four(*source, options(4));
  ASSERT_EQ(one.steps_per_epoch(), 5);
  std::vector<Batch> batches;
  for (int step = 0; step < 12; ++step) {
    const Batch a = one.next(), b = two.next(), c = four.next();
    EXPECT_EQ(a.step, step);
    EXPECT_EQ(a.epoch, step / 5);
    EXPECT_TRUE(a.images == b.images && a.images == c.images) << step;
    EXPECT_TRUE(a.captions == b.captions && a.samples == c.samples) << step;
    batches.push_back(a);
  }
  for (int64_t step : {7, 2, 11, 0}) {
    two.seek(step);
    const Batch again = two.next();
    EXPECT_EQ(again.step, step);
    EXPECT_TRUE(again.images == batches[size_t(step)].images) << step;
    EXPECT_EQ(again.captions, batches[size_t(step)].captions);
  }
  EXPECT_FALSE(batches[0].images == batches[5].images);  // another epoch, other crops
}

TEST_F(LoaderTest, AnEpochHoldsEachSampleAtMostOnce) {
  const auto source = make_source();
  Loader loader(*source, options(2));
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::set<size_t> seen;
    for (int step = 0; step < 5; ++step)
      for (size_t i : loader.next().samples) EXPECT_TRUE(seen.insert(i).second) << i;
    EXPECT_EQ(seen.size(), 20u);
  }
}

TEST_F(LoaderTest, BrokenSamplesAreCountedAndReplaced) {
  const auto source = make_source({0, 5, 9});
  Loader loader(*source, options(2));
  for (int step = 0; step < 5; ++step) {
    const Batch batch = loader.next();
    for (size_t k = 0; k < 4; ++k) {
      EXPECT_EQ(batch.captions[k], fmt::format("number {}", batch.samples[k]));
      EXPECT_TRUE(batch.samples[k] != 0 && batch.samples[k] != 5 && batch.samples[k] != 9);
    }
  }
  const FaultReport report = loader.report();
  ASSERT_EQ(report.counts().size(), 1u);
  EXPECT_GE(report.total(), 2);
  EXPECT_NE(report.text().find("0.tar/0"), std::string::npos) << report.text();
}

TEST_F(LoaderTest, StrictStopsAndNamesTheSample) {
  const auto source = make_source({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  auto strict = options(2);
  strict.strict = true;
  Loader loader(*source, strict);
  EXPECT_THAT(error_of([&] {
                for (int step = 0; step < 5; ++step) loader.next();
              }),
              HasSubstr("0.tar/0"));
}

TEST_F(LoaderTest, OnlyBrokenSamplesEndInAnError) {
  std::set<int> all;
  for (int i = 0; i < kSamples; ++i) all.insert(i);
  const auto source = make_source(all);
  Loader loader(*source, options(2));
  EXPECT_THROW(loader.next(), Error);
}

TEST_F(LoaderTest, ABatchLargerThanTheDataIsRefused) {
  const auto source = make_source();
  auto large = options(1);
  large.batch_size = kSamples + 1;
  EXPECT_THROW(Loader(*source, large), Error);
}

// Stripes two pixels wide: a small crop of the whole image shows black and white, one of a reduced
// image gray.
TEST_F(LoaderTest, ASmallCropIsTakenFromTheWholeImage) {
  Image stripes{512, 512, {}};
  for (int p = 0; p < 512 * 512; ++p)
    for (int c = 0; c < 3; ++c) stripes.rgb.push_back(p / 2 % 2 ? 255 : 0);
  const auto jpeg = encode_jpeg(stripes, 95);
  TarWriter tar;
  for (const char* key : {"a", "b", "c", "d"})
    tar.add(std::string(key) + ".jpg", {reinterpret_cast<const char*>(jpeg.data()), jpeg.size()})
        .add(std::string(key) + ".txt", "stripes");
  write_atomically(folder_ / "0.tar", tar.finish());
  const auto source = open_samples((folder_ / "0.tar").string(), {});
  LoaderOptions o = options(1);
  o.image_size = 32;
  o.scale = {0.004f, 0.004f};  // about 32×32 pixels
  const Batch batch = Loader(*source, o).next();
  const auto [least, most] = std::minmax_element(batch.images.begin(), batch.images.end());
  EXPECT_GT(*most - *least, 150);
}

TEST_F(LoaderTest, CanBeLeftWhileItWorks) {
  const auto source = make_source();
  for (int round = 0; round < 20; ++round) {
    Loader loader(*source, options(4));
    if (round % 2) loader.next();
  }
}

}  // namespace
}  // namespace laclip

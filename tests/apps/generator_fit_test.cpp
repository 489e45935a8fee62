// A generator is made as large as memory allows.
#include "apps/rewrite/generator_fit.h"

#include <gtest/gtest.h>

namespace laclip {
namespace {

using Slots = GeneratorFit::Slots;

// A pool of 10 bytes a prefix, and 1000 more for each slot.
GeneratorFit fit(int64_t free, Slots slots, size_t triples = 1000) {
  return {free, [=](size_t captions) { return std::min(captions, triples); },
          [](const GeneratorOptions& o) { return int64_t(10 * o.prefixes); },
          [](const GeneratorOptions& o) { return int64_t(10 * o.prefixes + 1000 * o.slots); },
          slots};
}

GeneratorOptions fitted(const GeneratorFit& fit) {
  GeneratorOptions options;
  options.slots = 256;
  fit_generator(options, fit);
  return options;
}

TEST(GeneratorFits, WhereMemoryIsEnough) {
  const GeneratorOptions o = fitted(fit(1'000'000, Slots::fewer));
  EXPECT_EQ(o.slots, 256);
  EXPECT_EQ(o.max_rows, 1024);
  EXPECT_EQ(o.prefixes, o.requests());
  EXPECT_EQ(fitted(fit(1'000'000, Slots::fewer, 7)).prefixes, 7);
  EXPECT_EQ(fitted(fit(1'000'000, Slots::fewer, 0)).prefixes, 1);  // an empty job
}

// The pool alone fits, all together does not.
TEST(GeneratorFits, ByFewerPrefixes) {
  const GeneratorOptions o = fitted(fit(256'000 + 320, Slots::fewer));
  EXPECT_EQ(o.slots, 256);
  EXPECT_EQ(o.prefixes, 32);
}

TEST(GeneratorFits, ByFewerSlotsOnlyWhereTheyAreNotGiven) {
  const GeneratorOptions few = fitted(fit(100'000, Slots::fewer));
  EXPECT_EQ(few.slots, 64);
  EXPECT_EQ(few.prefixes, few.requests());
  EXPECT_EQ(few.max_rows, 512);
  EXPECT_EQ(fitted(fit(100'000, Slots::as_given)).slots, 256);
  EXPECT_EQ(fitted(fit(10, Slots::fewer)).slots, 1);
}

// 300'000 bytes of packed weights, which fit beside no number of slots.
TEST(GeneratorFits, WithoutPackedWeightsBeforeWithFewerSlots) {
  GeneratorFit tight = fit(260'000, Slots::fewer);
  tight.total = [](const GeneratorOptions& o) {
    return int64_t(10 * o.prefixes + 1000 * o.slots + (o.keep_packed_weights ? 300'000 : 0));
  };
  const GeneratorOptions o = fitted(tight);
  EXPECT_EQ(o.slots, 256);
  EXPECT_EQ(o.prefixes, 32);
  EXPECT_FALSE(o.keep_packed_weights);
  tight.free = 1'000'000;
  EXPECT_TRUE(fitted(tight).keep_packed_weights);
}

TEST(GeneratorFits, AGpuKeepsSomeMemoryForItself) {
  constexpr int64_t kGiB = int64_t(1) << 30;
  EXPECT_EQ(usable_memory(80 * kGiB, true), 76 * kGiB);
  EXPECT_EQ(usable_memory(2 * kGiB, true), 3 * kGiB / 2);
  EXPECT_EQ(usable_memory(2 * kGiB, false), 2 * kGiB);
}

}  // namespace
}  // namespace laclip

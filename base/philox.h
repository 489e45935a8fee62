// Philox4x32-10, a counter-based random generator: J. K. Salmon, M. A. Moraes, R. O. Dror,
// D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
// A draw is a pure function of (seed, what it is for, index), so the same seed gives the same
// captions, crops and samples whatever the order, shard, thread count or resume point.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace laclip {

// What a stream of random numbers is for. The values are part of the output format of seeds: never
// renumber.
enum class RandomUse : uint32_t {
  parameter_init = 1,
  sample_order = 2,
  crop = 3,
  caption_choice = 4,
  example_draw = 5,
  token_sampling = 6,
  augmentation = 7,
  world_scene = 8,
  world_text = 9,
  world_render = 10,
  test = 99,
};

constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                             std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t(0xD2511F53u) * counter[0];
    const uint64_t b = uint64_t(0xCD9E8D57u) * counter[2];
    counter = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b),
               uint32_t(a >> 32) ^ counter[3] ^ key[1], uint32_t(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// A sequence of draws for one purpose and one item: Random(seed, RandomUse::crop, epoch, sample).
class Random {
 public:
  Random(uint64_t seed, RandomUse use, uint64_t item = 0, uint32_t sub_item = 0)
      : key_{uint32_t(seed), uint32_t(seed >> 32) ^ (uint32_t(use) * 0x9E3779B9u)},
        counter_{0, sub_item, uint32_t(item), uint32_t(item >> 32)} {}

  uint32_t bits() {
    if (used_ == 4) {
      block_ = philox4x32(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[size_t(used_++)];
  }
  float uniform() { return float(bits() >> 8) * 0x1p-24f; }  // [0, 1)
  float uniform(float low, float high) { return low + (high - low) * uniform(); }
  uint32_t below(uint32_t n) {  // 0 .. n-1, exact (rejection)
    const uint32_t limit = uint32_t(-n) % n;
    for (;;) {
      const uint64_t product = uint64_t(bits()) * n;
      if (uint32_t(product) >= limit) return uint32_t(product >> 32);
    }
  }
  float normal() {  // Box-Muller
    const float u = (float(bits() >> 8) + 1.0f) * 0x1p-24f;
    return std::sqrt(-2.0f * std::log(u)) * std::cos(6.28318530718f * uniform());
  }
  std::vector<uint32_t> permutation(uint32_t n) {  // Fisher-Yates
    std::vector<uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    for (uint32_t i = n; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
    return order;
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_, block_{};
  int used_ = 4;
};

}  // namespace laclip

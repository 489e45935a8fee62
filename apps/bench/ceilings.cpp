#include "apps/bench/ceilings.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "base/timer.h"

namespace laclip {
namespace {

constexpr int kRegisters = 12;  // independent sums: more than latency × units
constexpr int kRepeats = 5;     // the best counts: others were disturbed

using Vector = float __attribute__((vector_size(64)));

double fp32_operations() {
  constexpr int64_t kLoops = 6'000'000;
  Vector sums[kRegisters], a, b;
  const float start = 1.0f;
  for (int i = 0; i < 16; ++i) std::memcpy(reinterpret_cast<char*>(&a) + 4 * i, &start, 4);
  b = a;
  std::fill(sums, sums + kRegisters, a);
  for (int64_t i = 0; i < kLoops; ++i)
    for (Vector& sum : sums) {
      sum += a * b;
      asm volatile("" : "+x"(sum));  // keeps each sum in its register and the loop in place
    }
  return double(kLoops) * kRegisters * 16 * 2;
}

#if defined(__AVX512BF16__)
double bf16_operations() {
  constexpr int64_t kLoops = 6'000'000;
  __m512 sums[kRegisters];
  for (auto& sum : sums) sum = _mm512_set1_ps(1);
  const auto ones = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80));
  for (int64_t i = 0; i < kLoops; ++i)
    for (auto& sum : sums) {
      sum = _mm512_dpbf16_ps(sum, ones, ones);
      asm volatile("" : "+v"(sum));
    }
  return double(kLoops) * kRegisters * 32 * 2;
}
#else
double bf16_operations() { return fp32_operations(); }
#endif

// The best sum of amounts a second of `work`, run by all cores at once.
template <class Work>
double best_rate(Work&& work) {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    std::vector<double> amounts(cores);
    std::vector<std::thread> threads;
    const Timer timer;
    for (unsigned t = 0; t < cores; ++t) threads.emplace_back([&, t] { amounts[t] = work(t); });
    for (auto& thread : threads) thread.join();
    best = std::max(best, std::accumulate(amounts.begin(), amounts.end(), 0.0) / timer.seconds());
  }
  return best;
}

}  // namespace

double peak_gflops(DType type) {
  return best_rate([&](unsigned) { return type == DType::bf16 ? bf16_operations() : fp32_operations(); }) / 1e9;
}

double read_bandwidth_gbs() {
  const std::vector<float> data(size_t(1) << 26, 1.0f);  // 256 MiB, larger than any cache here
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  volatile float sink = 0;
  return best_rate([&](unsigned t) {
    const size_t begin = data.size() * t / cores, end = data.size() * (t + 1) / cores;
    Vector sums[4] = {};
    for (size_t i = begin; i + 64 <= end; i += 64)
      for (size_t v = 0; v < 4; ++v) {
        Vector x;
        std::memcpy(&x, data.data() + i + 16 * v, sizeof x);
        sums[v] += x;
      }
    sink = sink + (sums[0] + sums[1] + sums[2] + sums[3])[0];
    return double((end - begin) * sizeof(float));
  }) / 1e9;
}

}  // namespace laclip

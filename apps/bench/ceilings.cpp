#include "apps/bench/ceilings.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "base/timer.h"

namespace laclip {
namespace {

constexpr int kRegisters = 12;  // independent sums: more than latency × units
constexpr int kRepeats = 5;     // the best counts: others were disturbed

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));

// Runs `step` on kRegisters sums; the indices are constants, so that each sum stays in its
// register.
template <class Value, class Step, size_t... I>
void run_loops(int64_t loops, Value start, Step&& step, std::index_sequence<I...>) {
  Value sums[] = {(void(I), start)...};
  for (int64_t i = 0; i < loops; ++i) (step(sums[I]), ...);
}

constexpr int64_t kLoops = 6'000'000;

double fp32_operations() {
  Vector a, b;
  for (int i = 0; i < kLanes; ++i) a[i] = 1, b[i] = 0;
  asm volatile("" : "+x"(a), "+x"(b));  // values that the compiler knows nothing about
  run_loops(
      kLoops, a,
      [&](Vector& sum) {
        sum = sum * a + b;             // the sum is a factor, so that no product can leave the loop
        asm volatile("" : "+x"(sum));  // a step that the compiler may not merge with the next
      },
      std::make_index_sequence<kRegisters>());
  return double(kLoops) * kRegisters * kLanes * 2;
}

#if defined(__AVX512BF16__)
double bf16_operations() {
  const auto ones = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80));
  run_loops(
      kLoops, _mm512_set1_ps(1),
      [&](__m512& sum) {
        sum = _mm512_dpbf16_ps(sum, ones, ones);
        asm volatile("" : "+v"(sum));
      },
      std::make_index_sequence<kRegisters>());
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
  return best_rate([&](unsigned) {
           return type == DType::bf16 ? bf16_operations() : fp32_operations();
         }) /
         1e9;
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
         }) /
         1e9;
}

}  // namespace laclip

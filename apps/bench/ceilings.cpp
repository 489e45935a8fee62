#include "apps/bench/ceilings.h"

#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

#include "base/parallel.h"
#include "base/timer.h"
#include "kernels/cpu/ceilings.h"

namespace laclip {
namespace {

constexpr int kRepeats = 5;  // the best counts: others were disturbed

// The best sum of amounts a second of `work(thread, threads)`, run by all threads at once.
template <class Work>
double best_rate(Work&& work) {
  const auto count = size_t(thread_count());
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    std::vector<double> amounts(count);
    std::vector<std::thread> threads;
    const Timer timer;
    for (size_t t = 0; t < count; ++t)
      threads.emplace_back([&, t] { amounts[t] = work(t, count); });
    for (auto& thread : threads) thread.join();
    best = std::max(best, std::accumulate(amounts.begin(), amounts.end(), 0.0) / timer.seconds());
  }
  return best;
}

}  // namespace

double peak_gflops(DType type) {
  return best_rate([&](size_t, size_t) { return cpu::arithmetic_loop.get()(type); }) / 1e9;
}

double read_bandwidth_gbs() {
  const std::vector<float> data(size_t(1) << 26, 1.0f);  // 256 MiB, larger than any cache here
  volatile float sink = 0;
  return best_rate([&](size_t t, size_t threads) {
           const size_t begin = data.size() * t / threads, end = data.size() * (t + 1) / threads;
           sink = sink + cpu::read_loop.get()(data.data() + begin, int64_t(end - begin));
           return double((end - begin) * sizeof(float));
         }) /
         1e9;
}

}  // namespace laclip

#include "kernels/ops/sampling.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

struct Candidate {
  float p;
  int32_t id;
  bool operator<(const Candidate& other) const {  // falling probability, then rising id
    return p > other.p || (p == other.p && id < other.id);
  }
};

struct Row {
  const float* logits;
  int64_t V;
  float largest;
};

double mass(const Row& row, float inverse_temperature) {
  const float *logits = row.logits, largest = row.largest;  // locals, or g++ 12 does not vectorise
  double total = 0;
  for (int64_t begin = 0; begin < row.V; begin += 1024) {  // fp32 sums of a block
    const int64_t end = std::min(row.V, begin + 1024);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = begin; i < end; ++i)
      sum += fast_exp((logits[i] - largest) * inverse_temperature);
    total += double(sum);
  }
  return total;
}

// The candidates whose probability is at least `least` times the largest, in order.
void collect(std::vector<Candidate>& list, const Row& row, float inverse_temperature, float least) {
  list.clear();
  const float lowest = row.largest + std::log(least) / inverse_temperature;
  for (int64_t i = 0; i < row.V; ++i)
    if (row.logits[i] >= lowest)
      list.push_back({fast_exp((row.logits[i] - row.largest) * inverse_temperature), int32_t(i)});
  std::sort(list.begin(), list.end());
}

// Few tokens hold nearly all the mass, so only those above a cut are sorted; the cut is lowered
// until what decides lies above it.
int32_t pick(const Row& row, float u, SamplingOptions o) {
  thread_local std::vector<Candidate> list;
  const float inverse_temperature = 1.0f / o.temperature;
  const double total = mass(row, inverse_temperature);
  for (float least = 1e-3f;; least *= 1e-4f) {
    const bool everything = least < 1e-30f;
    collect(list, row, inverse_temperature, everything ? 0.0f : least);
    double kept = 0;
    size_t count = 0;
    while (count < list.size() && kept <= double(o.top_p) * total) kept += double(list[count++].p);
    const bool cut_found = kept > double(o.top_p) * total;
    if (!cut_found && o.top_p >= 1) kept = total;  // all tokens are kept, listed or not
    double running = 0;
    const double target = double(u) * kept;
    if (cut_found || o.top_p >= 1 || everything)
      for (size_t i = 0; i < count; ++i)
        if ((running += double(list[i].p)) > target) return list[i].id;
    if (everything) return list[std::max<size_t>(count, 1) - 1].id;  // u·kept lost to rounding
  }
}

}  // namespace

void sample(Stream&, Out token, Out logprob, In logits, In u, SamplingOptions o) {
  check(o.temperature >= 0 && o.top_p > 0, "sample: temperature {} and top_p {} are not possible",
        o.temperature, o.top_p);
  const int64_t N = logits[0], V = logits[1];
  std::atomic<int64_t> broken = N;  // the first of the broken rows, whichever is seen first
  parallel_rows(N, V, [&](int64_t n) {
    Row row{logits.as<float>() + n * V, V, -std::numeric_limits<float>::infinity()};
    bool nan = false;
    int32_t best = 0;
    for (int64_t i = 0; i < V; ++i) {
      nan |= std::isnan(row.logits[i]);
      if (row.logits[i] > row.largest) row.largest = row.logits[i], best = int32_t(i);
    }
    if (nan || !std::isfinite(row.largest)) {
      for (int64_t first = broken; n < first && !broken.compare_exchange_weak(first, n);) {
      }
      return;
    }
    const int32_t chosen = o.temperature == 0 ? best : pick(row, u.as<float>()[n], o);
    token.as<int32_t>()[n] = chosen;
    logprob.as<float>()[n] =
        float(double(row.logits[chosen] - row.largest) - std::log(mass(row, 1)));
  });
  check(broken == N,
        "sample: row {} of the logits holds NaN or nothing finite; the model's weights "
        "or activations are broken",
        broken.load());
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

#include "kernels/ops/sampling.h"

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/vec.cuh"

// A block has a row. Nothing is sorted: a token is found by the mass before it in the order of falling
// logits. Masses are whole numbers, p · 2^44 with the largest p = 1, so that sums are exact: they come
// out the same in any order, and atomics may add them up. A p below 2^-44 counts as 0; all that a
// row can lose so is V · 2^-44, far below the rounding of p itself. A sum stays below 2^44 V < 2^64
// for V < 2^20.
namespace laclip::cuda {
namespace {

constexpr int kBins = 256;
constexpr int kList = 512;  // tokens that are compared with one another
constexpr float kOne = 0x1p44f;
constexpr float kReach = 31;  // e^-31 < 2^-44

// Sums of 64 bits in two halves: shared memory has an adder for 32 bits, for 64 it would try again
// and again. Each time that a lower half overflows, the thread that sees it carries one.
struct Histogram {
  unsigned low[kBins], high[kBins], count[kBins];

  __device__ void clear() {
    for (int b = int(threadIdx.x); b < kBins; b += int(blockDim.x))
      low[b] = 0, high[b] = 0, count[b] = 0;
  }
  __device__ void add(int bin, uint64_t mass) {
    const unsigned part = unsigned(mass), before = atomicAdd(&low[bin], part);
    const unsigned carry = before + part < before ? 1 : 0, upper = unsigned(mass >> 32) + carry;
    if (upper > 0) atomicAdd(&high[bin], upper);
    atomicAdd(&count[bin], 1u);
  }
  __device__ uint64_t mass(int bin) const { return uint64_t(high[bin]) << 32 | low[bin]; }
};
struct Token {
  uint64_t rank, mass;
};
struct Choice {  // the bin that holds the token, and the mass of all bins before it
  int bin, count;
  uint64_t before;
};
struct Shared {
  uint64_t of_warp[32];
  Histogram by_distance, by_rank;
  Choice choice;
  Token list[kList];
  int listed;
  int found;
  uint64_t through;  // the mass of all tokens up to the one that was found
};

// Larger for a larger logit, equal for equal ones (0 and -0 too); the largest for a NaN.
__device__ inline unsigned order_of(float x) {
  if (x != x) return 0xffffffffu;
  const unsigned bits = __float_as_uint(x == 0 ? 0.0f : x);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// The logits of a row, W at a time, in a fixed share of each thread: body(logit, id).
template <int W, class Body>
__device__ void for_each_token(const float* logits, int V, Body&& body) {
  for (int i = int(threadIdx.x) * W; i < V; i += int(blockDim.x) * W) {
    if constexpr (W == 1) {
      body(logits[i], i);
    } else {
      const Pack<float> pack = load16(logits + i);
#pragma unroll
      for (int k = 0; k < W; ++k) body(pack[k], i + k);
    }
  }
}

template <class Combine>
__device__ uint64_t block_combine(Shared& s, uint64_t value, Combine&& combine) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2)
    value = combine(value, __shfl_xor_sync(kFullWarp, value, bits));
  if (lane_of_thread() == 0) s.of_warp[warp_of_thread()] = value;
  __syncthreads();  // all warps' values are there
  value = s.of_warp[0];
  for (int w = 1; w < int(blockDim.x) / kWarpSize; ++w) value = combine(value, s.of_warp[w]);
  __syncthreads();  // all have read them
  return value;
}
struct Largest {
  __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a > b ? a : b; }
};
struct Sum {
  __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a + b; }
};

// What of a row decides where a token stands. The order is that of `rank`: falling logits, then
// rising ids. The distance bins follow the same order coarsely, in equal steps of the logit.
struct Row {
  const float* logits;
  int V;
  float largest, inverse_temperature, bins_per_distance;
  unsigned order_of_largest;

  __device__ float distance(float x) const {
    return x == largest ? 0.0f : (largest - x) * inverse_temperature;
  }
  __device__ int bin(float distance) const {
    return int(fminf(distance * bins_per_distance, float(kBins - 1)));
  }
  __device__ uint64_t rank(float x, int id) const {
    return uint64_t(order_of_largest - order_of(x)) << 32 | unsigned(id);
  }
};

__device__ inline uint64_t mass_of(float distance) { return uint64_t(expf(-distance) * kOne); }

// The bin whose masses, added to `before`, first exceed `target`. The mass of all bins does.
__device__ Choice choose(Shared& s, const Histogram& h, uint64_t before, uint64_t target) {
  __syncthreads();  // the histogram is complete, the last choice has been read
  if (warp_of_thread() == 0) {
    constexpr int kOfLane = kBins / kWarpSize;
    const int first = lane_of_thread() * kOfLane;
    uint64_t mass = 0;
#pragma unroll
    for (int b = 0; b < kOfLane; ++b) mass += h.mass(first + b);
    uint64_t sum = mass;  // of this lane's bins and those before
#pragma unroll
    for (int by = 1; by < kWarpSize; by *= 2) {
      const uint64_t other = __shfl_up_sync(kFullWarp, sum, unsigned(by));
      if (lane_of_thread() >= by) sum += other;
    }
    before += sum - mass;
    for (int b = first; b < first + kOfLane; ++b) {
      if (before <= target && target < before + h.mass(b)) s.choice = {b, int(h.count[b]), before};
      before += h.mass(b);
    }
  }
  __syncthreads();  // the choice is there
  return s.choice;
}

// Finds the first token in order whose running mass exceeds `target`; s.found and s.through tell.
template <int W>
__device__ void find(Shared& s, const Row& row, uint64_t target) {
  Choice choice = choose(s, s.by_distance, 0, target);
  const int bin = choice.bin;
  uint64_t low = 0, high = ~uint64_t(0);  // the ranks among which it is
  const auto for_each_candidate = [&](auto&& body) {
    for_each_token<W>(row.logits, row.V, [&](float x, int id) {
      const float distance = row.distance(x);
      const uint64_t mass = mass_of(distance), rank = row.rank(x, id);
      if (mass > 0 && row.bin(distance) == bin && rank >= low && rank <= high) body(rank, mass);
    });
  };
  while (choice.count > kList) {  // each round leaves a 128th of the ranks or less
    uint64_t least = ~uint64_t(0), most = 0;
    for_each_candidate([&](uint64_t rank, uint64_t) {
      least = rank < least ? rank : least;
      most = rank > most ? rank : most;
    });
    least = ~block_combine(s, ~least, Largest());
    most = block_combine(s, most, Largest());
    int shift = 0;
    while ((most - least) >> shift >= kBins) ++shift;
    s.by_rank.clear();
    __syncthreads();  // all bins are zero
    for_each_candidate(
        [&](uint64_t rank, uint64_t mass) { s.by_rank.add(int((rank - least) >> shift), mass); });
    choice = choose(s, s.by_rank, choice.before, target);
    low = least + (uint64_t(choice.bin) << shift);
    high = low + ((uint64_t(1) << shift) - 1);
  }
  if (threadIdx.x == 0) s.listed = 0;
  __syncthreads();  // the list is empty
  for_each_candidate([&](uint64_t rank, uint64_t mass) {
    s.list[atomicAdd(&s.listed, 1)] = {rank, mass};  // in any order
  });
  __syncthreads();  // the list is complete
  for (int i = int(threadIdx.x); i < choice.count; i += int(blockDim.x)) {
    const Token token = s.list[i];
    uint64_t before = choice.before;
    for (int k = 0; k < choice.count; ++k)
      if (s.list[k].rank < token.rank) before += s.list[k].mass;
    if (before <= target && target < before + token.mass) {
      s.found = int(unsigned(token.rank));
      s.through = before + token.mass;
    }
  }
  __syncthreads();  // found, and the list can be used again
}

// Draws from the nucleus. Its last token is the first whose running mass exceeds top_p times that of
// all. Every product below is smaller than its whole: top_p and u are at most 1 - 2^-24.
template <int W>
__device__ int draw(Shared& s, const Row& row, uint64_t total, float u, float top_p) {
  uint64_t kept = total;
  if (top_p < 1) {
    find<W>(s, row, uint64_t(double(top_p) * double(total)));
    kept = s.through;
  }
  const uint64_t target = uint64_t(double(u) * double(kept));
  find<W>(s, row, target < kept ? target : kept - 1);
  return s.found;
}

// Reads a row four times or more, but from the L2 cache after the first time.
template <int W>
__global__ void __launch_bounds__(1024)
    sample_kernel(int32_t* token, float* logprob, const float* logits, const float* u, int V,
                  bool greedy, float inverse_temperature, float top_p, FaultSink fault) {
  auto& s = shared<Shared>();
  const int64_t n = blockIdx.x;
  Row row{logits + n * V, V, 0, inverse_temperature, 0, 0};

  // The first largest logit is the largest of (order, -id).
  uint64_t best = 0;
  unsigned least = 0xffffffffu;
  for_each_token<W>(row.logits, V, [&](float x, int id) {
    best = Largest()(best, uint64_t(order_of(x)) << 32 | unsigned(~id));
    least = min(least, order_of(x));
  });
  best = block_combine(s, best, Largest());
  row.order_of_largest = unsigned(best >> 32);
  if (row.order_of_largest >= order_of(INFINITY) || row.order_of_largest <= order_of(-INFINITY)) {
    if (threadIdx.x == 0) report(fault, KernelFault::not_a_number, n);
    return;  // the whole block
  }
  int chosen = int(~unsigned(best));
  row.largest = row.logits[chosen];

  uint64_t mass = 0;  // without temperature
  for_each_token<W>(row.logits, V, [&](float x, int) { mass += mass_of(row.largest - x); });
  mass = block_combine(s, mass, Sum());

  if (!greedy) {
    // The bins reach as far as there are masses or logits.
    const unsigned farthest = ~unsigned(block_combine(s, uint64_t(~least), Largest()));
    const float smallest =
        __uint_as_float(farthest >> 31 ? farthest & 0x7fffffffu : ~farthest);  // of order_of
    row.bins_per_distance = kBins / fmaxf(fminf(row.distance(smallest), kReach), 1e-30f);
    s.by_distance.clear();
    __syncthreads();  // all bins are zero
    uint64_t part = 0;
    for_each_token<W>(row.logits, V, [&](float x, int) {
      const float distance = row.distance(x);
      const uint64_t m = mass_of(distance);
      if (m > 0) s.by_distance.add(row.bin(distance), m);
      part += m;
    });
    const uint64_t total = block_combine(s, part, Sum());
    chosen = draw<W>(s, row, total, u[n], top_p);
  }
  if (threadIdx.x == 0) {
    token[n] = chosen;
    logprob[n] = float(double(row.logits[chosen] - row.largest) - log(double(mass) / double(kOne)));
  }
}

}  // namespace

void sample(Stream& stream, Out token, Out logprob, In logits, In u, SamplingOptions o) {
  check(o.temperature >= 0 && o.top_p > 0, "sample: temperature {} and top_p {} are not possible",
        o.temperature, o.top_p);
  const int64_t N = logits[0], V = logits[1];
  check(V >= 1 && V < 1 << 20, "sample: rows of {} logits; 1 to 2^20 - 1 are possible", V);
  if (N == 0) return;
  const bool greedy = o.temperature == 0;
  const float inverse_temperature = greedy ? 1 : 1.0f / o.temperature;
  const Grid grid{dim3(unsigned(N)), dim3(V <= 4096 ? 128 : 1024), sizeof(Shared)};
  constexpr int kWide = kPackSize<float>;
  if (packs<float>(V, logits.as<float>()))
    launch<sample_kernel<kWide>>(stream, grid, token.as<int32_t>(), logprob.as<float>(),
                                 logits.as<float>(), u.as<float>(), int(V), greedy,
                                 inverse_temperature, o.top_p, stream.fault());
  else
    launch<sample_kernel<1>>(stream, grid, token.as<int32_t>(), logprob.as<float>(),
                             logits.as<float>(), u.as<float>(), int(V), greedy, inverse_temperature,
                             o.top_p, stream.fault());
}

}  // namespace laclip::cuda

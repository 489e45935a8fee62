// Log-sum-exp in parts that are merged in a fixed order, and the sum of a list.
#pragma once

#include <cfloat>

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/ptx.cuh"
#include "kernels/cuda/device/reduce.cuh"

namespace laclip::cuda {

__device__ inline float logit_exp(float x) { return exp2_approximately(x * kLog2e); }

// sum = Σ 2^(s - max) of logits s in units of ln 2, which save a multiplication in front of each
// exponential. Empty, it has the lowest finite maximum: no difference of two maxima is then a NaN, and
// the -∞ of a logit that is not there adds 0.
struct alignas(8) LogitSum {
  float max = -FLT_MAX, sum = 0;

  __device__ void add(const LogitSum& other) {
    const float largest = fmaxf(max, other.max);
    sum = sum * exp2_approximately(max - largest) +
          other.sum * exp2_approximately(other.max - largest);
    max = largest;
  }
  // The logits value(0) … value(Count - 1).
  template <int Count, class Value>
  __device__ void add_values(Value&& value) {
    const float largest = largest_of<Count>(max, value);
    sum = sum * exp2_approximately(max - largest) + sum_below<Count>(largest, value);
    max = largest;
  }
  // log Σ exp s - shift, the shift in units of ln 2: a loss keeps its digits where the maximum is
  // nearly the shift.
  __device__ float log_above(float shift) const { return (max - shift) * kLn2 + logf(sum); }

  template <int Count, class Value>
  static __device__ float largest_of(float largest, Value&& value) {
#pragma unroll
    for (int i = 0; i < Count; ++i) largest = fmaxf(largest, value(i));
    return largest;
  }
  template <int Count, class Value>
  static __device__ float sum_below(float largest, Value&& value) {
    float total = 0;
#pragma unroll
    for (int i = 0; i < Count; ++i) total += exp2_approximately(value(i) - largest);
    return total;
  }
};

// The sum of the logits value(0) … value(Count - 1) of all lanes that differ in the bits First … End / 2.
// They share one maximum, so that merging them takes no exponentials.
template <int First, int End, int Count, class Value>
__device__ LogitSum sum_of_lanes(Value&& value) {
  LogitSum all;
  all.max = LogitSum::largest_of<Count>(all.max, value);
#pragma unroll
  for (int bits = First; bits < End; bits *= 2)
    all.max = fmaxf(all.max, __shfl_xor_sync(kFullWarp, all.max, bits));
  all.sum = LogitSum::sum_below<Count>(all.max, value);
#pragma unroll
  for (int bits = First; bits < End; bits *= 2)
    all.sum += __shfl_xor_sync(kFullWarp, all.sum, bits);
  return all;
}

// Merges over the lanes that differ in the bits First … End / 2. The lowest of them has the result
// to use: the others' may differ in the last bit, as theirs is added the other way round.
template <int First, int End>
__device__ LogitSum merge_lanes(LogitSum part) {
#pragma unroll
  for (int bits = First; bits < End; bits *= 2) {
    LogitSum other;
    other.max = __shfl_xor_sync(kFullWarp, part.max, bits);
    other.sum = __shfl_xor_sync(kFullWarp, part.sum, bits);
    part.add(other);
  }
  return part;
}

// Merges `count` parts by a warp; lane 0 has the result.
__device__ inline LogitSum warp_merge(const LogitSum* parts, int64_t count, int64_t stride) {
  LogitSum merged;
  for (int64_t i = lane_of_thread(); i < count; i += kWarpSize) merged.add(parts[i * stride]);
  return merge_lanes<1, kWarpSize>(merged);
}

inline constexpr int kTotalThreads = 512;

// to (+)= factor Σ values, by one block.
template <bool Add>
__global__ void logit_total_kernel(float* to, const float* values, int64_t count, float factor) {
  float sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kTotalThreads) sum += values[i];
  const float total = factor * block_sum(shared<BlockReduce>(), sum);
  if (threadIdx.x == 0) *to = (Add ? *to : 0.0f) + total;
}
template <bool Add>
void logit_total(Stream& stream, float* to, const float* values, int64_t count, float factor) {
  launch<logit_total_kernel<Add>>(stream, {1, kTotalThreads, sizeof(BlockReduce)}, to, values,
                                  count, factor);
}

}  // namespace laclip::cuda

// Sums and maxima over a warp or a block, in an order that does not depend on timing. Every thread
// has the result.
#pragma once

#include "kernels/cuda/device/cuda.cuh"

namespace laclip::cuda {

inline constexpr unsigned kFullWarp = 0xffffffffu;
inline constexpr int kWarpSize = 32;

__device__ inline int lane_of_thread() { return int(threadIdx.x) % kWarpSize; }
__device__ inline int warp_of_thread() { return int(threadIdx.x) / kWarpSize; }

__device__ inline float warp_sum(float value) {
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(kFullWarp, value, bits);
  return value;
}
__device__ inline float warp_max(float value) {
  for (int bits = 16; bits > 0; bits /= 2)
    value = fmaxf(value, __shfl_xor_sync(kFullWarp, value, bits));
  return value;
}

// Room for one block reduction; a kernel's Shared has one for each that may be under way at once.
struct BlockReduce {
  float of_warp[32];
};

// blockDim.x is a multiple of 32. Ends with a barrier, so the room can be used again at once.
__device__ inline float block_sum(BlockReduce& room, float value) {
  value = warp_sum(value);
  if (lane_of_thread() == 0) room.of_warp[warp_of_thread()] = value;
  __syncthreads();  // all warps' sums are there
  float sum = 0;
  for (int w = 0; w < int(blockDim.x) / kWarpSize; ++w) sum += room.of_warp[w];
  __syncthreads();  // all have read them
  return sum;
}

}  // namespace laclip::cuda

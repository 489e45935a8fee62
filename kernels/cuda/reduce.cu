#include "kernels/ops/reduce.h"

#include <algorithm>

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

constexpr int kReduceThreads = 256;
// The number of blocks follows from the size alone, not from the GPU: so do the bits of the sum.
constexpr int64_t kMostBlocks = 1024;
constexpr int64_t kBlockElements =
    8 * kReduceThreads * kPackSize<float>;  // at least, but for one block

struct PartShared {
  BlockReduce room;
};

// One fp32 sum a block; reads x once. A thread's four columns of packs are four independent sums.
__global__ void square_parts_kernel(float* parts, const float* x, int64_t packs, int64_t count) {
  constexpr int kWide = kPackSize<float>;
  Pack<float> sums{};
#pragma unroll 4
  for (int64_t i = grid_index(); i < packs; i += grid_stride()) {
    const Pack<float> in = load16(x + i * kWide);
#pragma unroll
    for (int k = 0; k < kWide; ++k) sums[k] += in[k] * in[k];
  }
  float sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  for (int64_t i = packs * kWide + grid_index(); i < count; i += grid_stride()) sum += x[i] * x[i];
  sum = block_sum(shared<PartShared>().room, sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

struct TotalShared {
  double of_warp[kReduceThreads / kWarpSize];
};

// One block: the sum of the parts in fp64.
__global__ void total_kernel(float* y, const float* parts, int count) {
  auto& s = shared<TotalShared>();
  double sum = 0;
  for (int i = int(threadIdx.x); i < count; i += kReduceThreads) sum += double(parts[i]);
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) sum += __shfl_xor_sync(kFullWarp, sum, bits);
  if (lane_of_thread() == 0) s.of_warp[warp_of_thread()] = sum;
  __syncthreads();  // all warps' sums are there
  if (threadIdx.x != 0) return;
  double total = 0;
  for (double part : s.of_warp) total += part;
  *y = float(total);
}

}  // namespace

void sum_of_squares(Stream& stream, Out y, In x) {
  const int64_t count = x.elements();
  const int64_t blocks = std::clamp<int64_t>(count / kBlockElements, 1, kMostBlocks);
  float* parts = stream.scratch().reserve<float>(blocks);
  const bool aligned = packs<float>(kPackSize<float>, x.as<float>());
  launch<square_parts_kernel>(stream,
                              Grid{dim3(unsigned(blocks)), dim3(kReduceThreads),
                                   sizeof(PartShared)},
                              parts, x.as<float>(), aligned ? count / kPackSize<float> : 0, count);
  launch<total_kernel>(stream, Grid{dim3(1), dim3(kReduceThreads), sizeof(TotalShared)},
                       y.as<float>(), parts, int(blocks));
}

}  // namespace laclip::cuda

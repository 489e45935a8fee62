// A stable radix sort of row numbers by an id, 8 bits a pass.
#pragma once

#include <bit>

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/reduce.cuh"

namespace laclip::cuda {

__device__ inline bool inside(int32_t id, int64_t rows) { return id >= 0 && id < rows; }

constexpr int kBins = 256;  // of a digit; also the threads of the sort's blocks
constexpr int kSortWarps = kBins / kWarpSize;
constexpr int kSortSteps = 8;                  // keys of a thread
constexpr int kSortTile = kBins * kSortSteps;  // keys of a block

// Keys and their row numbers: the ids themselves in the first pass, later what the pass before wrote.
struct SortInput {
  const int32_t* ids;  // null after the first pass
  const uint32_t *keys, *rows;
  int64_t count, limit;  // an id outside 0..limit-1 gets the key `limit`

  __device__ uint32_t key(int64_t i) const {
    if (!ids) return keys[i];
    return inside(ids[i], limit) ? uint32_t(ids[i]) : uint32_t(limit);
  }
  __device__ uint32_t row(int64_t i) const { return ids ? uint32_t(i) : rows[i]; }
};

struct CountShared {
  uint32_t count[kBins];
};

// counts[block, digit]: how often the digit occurs in the block's tile.
static __global__ void count_digits_kernel(uint32_t* counts, SortInput in, int shift,
                                           FaultSink fault) {
  auto& s = shared<CountShared>();
  s.count[threadIdx.x] = 0;
  __syncthreads();  // all counts are zero
  const int64_t begin = int64_t(blockIdx.x) * kSortTile;
#pragma unroll
  for (int step = 0; step < kSortSteps; ++step) {
    const int64_t i = begin + step * kBins + threadIdx.x;
    if (i >= in.count) break;
    if (in.ids && !inside(in.ids[i], in.limit))
      report(fault, KernelFault::id_outside, i, in.ids[i], in.limit);
    atomicAdd(&s.count[in.key(i) >> shift & (kBins - 1)], 1u);
  }
  __syncthreads();  // the tile is counted
  counts[int64_t(blockIdx.x) * kBins + threadIdx.x] = s.count[threadIdx.x];
}

struct ScatterShared {
  uint32_t next[kSortWarps][kBins];  // a warp's count of a digit, then where its next key goes
  uint32_t of_warp[kSortWarps];
};

// The lanes whose active key has the same digit as this lane's.
__device__ inline unsigned lanes_with(uint32_t digit, bool active) {
  unsigned lanes = __ballot_sync(kFullWarp, active);
#pragma unroll
  for (int bit = 0; bit < 8; ++bit) {
    const bool one = digit >> bit & 1u;
    const unsigned ones = __ballot_sync(kFullWarp, one);
    lanes &= one ? ones : ~ones;
  }
  return lanes;
}

// Writes the keys in the order of their digit; equal digits stay in order. Each warp has a stretch of
// the tile. Reads and writes 8 bytes a key.
static __global__ void scatter_keys_kernel(uint32_t* keys_out, uint32_t* rows_out, SortInput in,
                                           const uint32_t* counts, int shift) {
  auto& s = shared<ScatterShared>();
  const int lane = lane_of_thread(), warp = warp_of_thread(), bin = int(threadIdx.x);
#pragma unroll
  for (int w = 0; w < kSortWarps; ++w) s.next[w][bin] = 0;
  __syncthreads();  // all counts are zero
  const int64_t begin = int64_t(blockIdx.x) * kSortTile + warp * (kWarpSize * kSortSteps) + lane;
  uint32_t keys[kSortSteps];
  unsigned peers[kSortSteps];
#pragma unroll
  for (int step = 0; step < kSortSteps; ++step) {
    const int64_t i = begin + step * kWarpSize;
    const bool active = i < in.count;
    keys[step] = active ? in.key(i) : 0;
    const uint32_t digit = keys[step] >> shift & (kBins - 1);
    peers[step] = lanes_with(digit, active);
    if (active && __ffs(int(peers[step])) - 1 == lane)
      s.next[warp][digit] += unsigned(__popc(peers[step]));
    __syncwarp();  // this step's counts are there before the next step's leaders add
  }
  // Where the digit `bin` of this block begins: behind all smaller digits and the blocks before.
  uint32_t before = 0, total = 0;
#pragma unroll 4
  for (unsigned b = 0; b < gridDim.x; ++b) {
    const uint32_t count = counts[int64_t(b) * kBins + bin];
    total += count;
    if (b < blockIdx.x) before += count;
  }
  uint32_t sum = total;  // over the digits up to `bin`
#pragma unroll
  for (int by = 1; by < kWarpSize; by *= 2) {
    const uint32_t other = __shfl_up_sync(kFullWarp, sum, unsigned(by));
    if (lane >= by) sum += other;
  }
  if (lane == kWarpSize - 1) s.of_warp[warp] = sum;
  __syncthreads();  // all warps' sums and counts of keys are there
  uint32_t next = sum - total + before;
  for (int w = 0; w < warp; ++w) next += s.of_warp[w];
#pragma unroll
  for (int w = 0; w < kSortWarps; ++w) {
    const uint32_t count = s.next[w][bin];
    s.next[w][bin] = next;
    next += count;
  }
  __syncthreads();  // every warp knows where its digits go
#pragma unroll
  for (int step = 0; step < kSortSteps; ++step) {
    const int64_t i = begin + step * kWarpSize;
    const bool active = i < in.count;
    const uint32_t digit = keys[step] >> shift & (kBins - 1);
    const unsigned earlier = peers[step] & ((1u << lane) - 1);
    if (active) {
      const uint32_t to = s.next[warp][digit] + unsigned(__popc(earlier));
      keys_out[to] = keys[step];
      rows_out[to] = in.row(i);
    }
    __syncwarp();  // all have read before the leaders go on
    if (active && earlier == 0) s.next[warp][digit] += unsigned(__popc(peers[step]));
    __syncwarp();  // the next step reads what the leaders wrote
  }
}

// Two copies of keys and rows that take turns, and the counts of each tile.
struct SortSpace {
  uint32_t *keys[2], *rows[2], *counts;

  static int64_t padded(int64_t N) {
    return ceil_div(N, 4) * 4;
  }  // what follows begins at 16 bytes
  static int64_t words(int64_t N) { return 4 * padded(N) + ceil_div(N, kSortTile) * kBins; }
  SortSpace(uint32_t* memory, int64_t N) : counts(memory + 4 * padded(N)) {
    for (int i = 0; i < 2; ++i) {
      keys[i] = memory + i * padded(N);
      rows[i] = memory + (2 + i) * padded(N);
    }
  }
};

struct SortedIds {
  const uint32_t *keys, *rows;  // [N]: ids in rising order, and where each stood
};

// Ids outside 0 … limit - 1 are reported, and come last, as `limit`.
inline SortedIds sort_by_id(Stream& stream, const int32_t* ids, int64_t N, int64_t limit,
                            const SortSpace& space) {
  const dim3 blocks(unsigned(ceil_div(N, kSortTile))), threads(kBins);
  SortInput in{ids, nullptr, nullptr, N, limit};
  int to = 0;
  for (int shift = 0; shift == 0 || shift < int(std::bit_width(uint64_t(limit)));
       shift += 8, to ^= 1) {
    launch<count_digits_kernel>(stream, Grid{blocks, threads, sizeof(CountShared)}, space.counts,
                                in, shift, stream.fault());
    launch<scatter_keys_kernel>(stream, Grid{blocks, threads, sizeof(ScatterShared)},
                                space.keys[to], space.rows[to], in, space.counts, shift);
    in = {nullptr, space.keys[to], space.rows[to], N, limit};
  }
  return {in.keys, in.rows};
}

}  // namespace laclip::cuda

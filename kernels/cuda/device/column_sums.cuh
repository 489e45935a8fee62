// Sums over the rows for each column, for gradients of parameters: the blocks walk over the rows and
// write a part each (ColumnSums), then the parts are added (add_parts). The order depends on the
// number of rows, their width and alignment only.
#pragma once

#include <algorithm>

#include "kernels/cuda/device/norm.cuh"

namespace laclip::cuda {

// kSums sums for each column over all rows of a block, written to the block's part[kSums, width].
template <class Team, int kSums>
class ColumnSums {
 public:
  __device__ ColumnSums(float* part, int64_t width) : part_(part), width_(width) {
    if constexpr (Team::kHeld) {
#pragma unroll
      for (int s = 0; s < kSums; ++s)
#pragma unroll
        for (int c = 0; c < Team::kColumns; ++c) held_[s][c] = 0;
    } else {
      for (int s = 0; s < kSums; ++s)
        Team::each(width, [&](int, int64_t column) { part[s * width + column] = 0; });
    }
  }
  // Element i of the lane's unit k. Without registers the part itself holds the sums; each of its
  // columns has one thread.
  __device__ void add(int s, int k, int64_t column, int i, float value) {
    if constexpr (Team::kHeld)
      held_[s][k * Team::kWidth + i] += value;
    else
      part_[s * width_ + column] += value;
  }
  // After the last row. The warps add in turn, so the order is fixed.
  __device__ void finish(NormRoom<Team, kSums>& room) {
    if constexpr (!Team::kHeld) return;
    if constexpr (!Team::kInWarp) {
      write();
    } else {
      add_teams_of_warp();
      for (int w = 0; w < Team::kWarps; ++w) {
        if (warp_of_thread() == w && lane_of_thread() < Team::kLanes) {
          if (w > 0) take_from(room);
          if (w + 1 < Team::kWarps)
            leave_in(room);
          else
            write();
        }
        __syncthreads();  // the sum up to warp w is there
      }
    }
  }

 private:
  __device__ void add_teams_of_warp() {
#pragma unroll
    for (int bits = Team::kLanes; bits < kWarpSize; bits *= 2)
#pragma unroll
      for (int s = 0; s < kSums; ++s)
#pragma unroll
        for (int c = 0; c < Team::kColumns; ++c)
          held_[s][c] += __shfl_xor_sync(kFullWarp, held_[s][c], bits);
  }
  __device__ void take_from(const NormRoom<Team, kSums>& room) {
#pragma unroll
    for (int s = 0; s < kSums; ++s)
#pragma unroll
      for (int c = 0; c < Team::kColumns; ++c)
        held_[s][c] += room.columns[s * Team::kColumns + c][Team::lane()];
  }
  __device__ void leave_in(NormRoom<Team, kSums>& room) const {
#pragma unroll
    for (int s = 0; s < kSums; ++s)
#pragma unroll
      for (int c = 0; c < Team::kColumns; ++c)
        room.columns[s * Team::kColumns + c][Team::lane()] = held_[s][c];
  }
  // 16 bytes at a time: the width of a held row is a multiple of 4.
  __device__ void write() const {
#pragma unroll
    for (int s = 0; s < kSums; ++s)
      Team::each(width_, [&](int k, int64_t column) {
#pragma unroll
        for (int i = 0; i < Team::kWidth; i += 4) {
          Pack<float> four;
#pragma unroll
          for (int j = 0; j < 4; ++j) four[j] = held_[s][k * Team::kWidth + i + j];
          store16(part_ + s * width_ + column + i, four);
        }
      });
  }

  float* part_;
  int64_t width_;
  float held_[kSums][Team::kHeld ? Team::kColumns : 1];
};

// Blocks that walk over the rows and end with a part of kSums column sums each: two for each of 132
// multiprocessors, more if a block is a single warp, and fewer if a team had less than two rows.
template <class Team, int kSums>
Grid grid_of_parts(int64_t rows) {
  constexpr int64_t kMostBlocks = Team::kThreads == kWarpSize ? 1056 : 264;
  const int64_t blocks = ceil_div(rows, 2 * Team::kTeams);
  return {dim3(unsigned(blocks < 1             ? 1
                        : blocks > kMostBlocks ? kMostBlocks
                                               : blocks)),
          dim3(Team::kThreads), sizeof(NormRoom<Team, kSums>)};
}

// Where the sums go: an array of `width` for each.
template <int kSums>
struct ColumnTotals {
  float* of[kSums];
};

inline constexpr int kMostPartWarps = 16;

// Adds parts[count, kSums, width] to the totals. A block takes 32 columns of the sum blockIdx.y, and
// each of its warps takes the parts in turn.
template <int kSums>
__global__ void add_parts_kernel(ColumnTotals<kSums> totals, const float* parts, int64_t count,
                                 int64_t width) {
  struct Shared {
    float of_warp[kMostPartWarps][kWarpSize];
  };
  auto& room = shared<Shared>();
  const int64_t column = int64_t(blockIdx.x) * kWarpSize + lane_of_thread();
  const int s = int(blockIdx.y), warp = warp_of_thread(), warps = int(blockDim.x) / kWarpSize;
  float sum = 0;
  if (column < width) {
    const float* from = parts + s * width + column;
#pragma unroll 8
    for (int64_t part = warp; part < count; part += warps) sum += from[part * kSums * width];
  }
  room.of_warp[warp][lane_of_thread()] = sum;
  __syncthreads();  // all warps' sums are there
  if (warp > 0 || column >= width) return;
  float total = 0;
  for (int w = 0; w < warps; ++w) total += room.of_warp[w][lane_of_thread()];
  float* to = totals.of[0];
#pragma unroll
  for (int i = 1; i < kSums; ++i)
    if (s == i) to = totals.of[i];
  to[column] += total;
}

template <int kSums>
void add_parts(Stream& stream, ColumnTotals<kSums> totals, const float* parts, int64_t count,
               int64_t width) {
  const dim3 blocks(unsigned(width < 1 ? 1 : ceil_div(width, kWarpSize)), kSums);
  const int64_t warps = std::min<int64_t>(count, kMostPartWarps);
  launch<add_parts_kernel<kSums>>(stream,
                                  Grid{blocks, dim3(unsigned(warps * kWarpSize)),
                                       kMostPartWarps * kWarpSize * sizeof(float)},
                                  totals, parts, count, width);
}

}  // namespace laclip::cuda

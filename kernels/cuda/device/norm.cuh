// Rows shared by threads, for the normalisations: Team (who has which columns) and Row (what a thread
// has read of them).
#pragma once

#include <type_traits>

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {

inline constexpr int kNormThreads = 256;

// A single element where a row cannot be read by packs.
template <class T>
struct One {
  T values[1];
  __device__ T& operator[](int i) { return values[i]; }
  __device__ const T& operator[](int i) const { return values[i]; }
};

// kLanes threads (a part of a warp, a warp or the block) work on one row. Unit k of a lane is the
// 16 bytes from column (k kLanes + lane) kWidth on: neighbours read neighbouring bytes.
//
// With kColumns > 0 a lane has that many columns at most and holds them in registers. With 0 a row
// can have any width and alignment: it is read by single elements, again at each use, and the team
// is a block by itself.
template <class T, int kLanesOfRow, int kColumnsOfLane>
struct Team {
  using Element = T;
  static constexpr int kLanes = kLanesOfRow, kColumns = kColumnsOfLane;
  static constexpr bool kHeld = kColumns > 0, kInWarp = kLanes <= kWarpSize;
  static constexpr int kThreads = kHeld ? kNormThreads : kLanes;
  static constexpr int kTeams = kThreads / kLanes, kWarps = kThreads / kWarpSize;
  static constexpr int kWidth = kHeld ? kPackSize<T> : 1;
  static constexpr int kUnits = kHeld ? kColumns / kWidth : 1;
  // On a multiprocessor at least, if the lane's columns and two sums for each fit into 128 registers.
  static constexpr int kBlocks = kColumns <= (sizeof(T) == 2 ? 24 : 16) ? 2 : 1;
  using Unit = std::conditional_t<kHeld, Pack<T>, One<T>>;

  __device__ static int lane() { return int(threadIdx.x) % kLanes; }
  __device__ static int team() { return int(threadIdx.x) / kLanes; }

  // f(k, column) for the units of this lane. A team without a row passes the width 0 and goes
  // along to the collectives.
  template <class F>
  __device__ static void each(int64_t width, F&& f) {
    if constexpr (kHeld) {
#pragma unroll
      for (int k = 0; k < kUnits; ++k) {
        const int column = (k * kLanes + lane()) * kWidth;
        if (column < width) f(k, column);
      }
    } else {
      for (int64_t column = lane(); column < width; column += kLanes) f(0, column);
    }
  }
  __device__ static Unit load(const T* from) {
    if constexpr (kHeld)
      return load16(from);
    else
      return {{*from}};
  }
  __device__ static void store(T* to, const Unit& unit) {
    if constexpr (kHeld)
      store16(to, unit);
    else
      *to = unit[0];
  }

  // Replaces each of the lanes' sums by the team's; every lane has the same bits.
  template <class Room, int kSums>
  __device__ static void sum(Room& room, float (&sums)[kSums]) {
#pragma unroll
    for (int bits = (kInWarp ? kLanes : kWarpSize) / 2; bits > 0; bits /= 2)
#pragma unroll
      for (int s = 0; s < kSums; ++s) sums[s] += __shfl_xor_sync(kFullWarp, sums[s], bits);
    if constexpr (!kInWarp) {
      if (lane_of_thread() == 0)
        for (int s = 0; s < kSums; ++s) room.of_warp[warp_of_thread()][s] = sums[s];
      __syncthreads();  // all warps' sums are there
#pragma unroll
      for (int s = 0; s < kSums; ++s) {
        sums[s] = 0;
#pragma unroll
        for (int w = 0; w < kWarps; ++w) sums[s] += room.of_warp[w][s];
      }
      __syncthreads();  // all have read them: the room can be used again
    }
  }
};

// The shared memory of a kernel whose ColumnSums are kColumnSums.
template <class Team, int kColumnSums = 0>
struct NormRoom {
  static constexpr bool kAcrossWarps = Team::kHeld && Team::kInWarp && kColumnSums > 0;
  float of_warp[Team::kWarps][2];  // of Team::sum
  float columns[kAcrossWarps ? kColumnSums * Team::kColumns : 1][kAcrossWarps ? Team::kLanes : 1];
};

// What a lane has of a row.
template <class Team>
class Row {
  using T = typename Team::Element;

 public:
  __device__ Row(const T* from, int64_t width) : from_(from) {
    if constexpr (Team::kHeld)
      Team::each(width, [&](int k, int64_t column) { held_[k] = load16(from + column); });
  }
  __device__ typename Team::Unit unit(int k, int64_t column) const {
    if constexpr (Team::kHeld)
      return held_[k];
    else
      return Team::load(from_ + column);
  }

 private:
  const T* from_;
  typename Team::Unit held_[Team::kUnits];
};

// Calls body(Team{}) with the team for rows of `width`; `by_packs` if they can be read by packs.
template <class T, class Body>
void dispatch_team(int64_t width, bool by_packs, Body&& body) {
  if (!by_packs || width > 32 * kNormThreads)
    return width <= 1024 ? body(Team<T, 32, 0>{}) : body(Team<T, kNormThreads, 0>{});
  if (width <= 64) return body(Team<T, 8, 8>{});
  if (width <= 128) return body(Team<T, 16, 8>{});
  if (width <= 256) return body(Team<T, 32, 8>{});
  if (width <= 512) return body(Team<T, 32, 16>{});
  if (width <= 768) return body(Team<T, 32, 24>{});
  if (width <= 1024) return body(Team<T, 32, 32>{});
  if (width <= 2048) return body(Team<T, kNormThreads, 8>{});
  if (width <= 4096) return body(Team<T, kNormThreads, 16>{});
  return body(Team<T, kNormThreads, 32>{});
}

// A team for each row.
template <class Team>
Grid grid_of_rows(int64_t rows) {
  return {dim3(unsigned(rows < 1 ? 1 : ceil_div(rows, Team::kTeams))), dim3(Team::kThreads),
          sizeof(NormRoom<Team>)};
}

}  // namespace laclip::cuda

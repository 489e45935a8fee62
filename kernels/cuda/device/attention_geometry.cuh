// Where the heads and the tiles of packed sequences lie (kernels/ops/attention.h).
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/ops/attention.h"

namespace laclip::cuda {

struct AttentionGeometry {
  const int32_t* offsets;
  int64_t rows;  // N
  int sequences, heads, key_heads, D;
  bool causal;
  float scale;  // 1/√D

  __device__ int group() const { return heads / key_heads; }
  __device__ int64_t row_width() const { return int64_t(heads + 2 * key_heads) * D; }
  __device__ int64_t out_width() const { return int64_t(heads) * D; }
  // The first column of a head in a row of qkv.
  __device__ int query_column(int head) const { return head * D; }
  __device__ int key_column(int key_head) const { return (heads + key_head) * D; }
  __device__ int value_column(int key_head) const { return (heads + key_heads + key_head) * D; }
};

inline AttentionGeometry attention_geometry(const char* op, In qkv, In offsets, int64_t lse_heads,
                                            int64_t y_width, AttentionOptions o) {
  const int64_t D = head_size(op, qkv, lse_heads, y_width, o);
  const int64_t sequences = offsets[0] - 1;
  check(sequences > 0 || (sequences == 0 && qkv[0] == 0), "{}: {} rows, but offsets of {} entries",
        op, qkv[0], offsets[0]);
  return {offsets.as<int32_t>(), qkv[0], int(sequences), o.heads,
          o.key_heads,           int(D), o.causal,       1.0f / std::sqrt(float(D))};
}

// Up to kTile rows of one sequence: rows begin .. of the `length` rows from row `first` of all.
struct SequenceTile {
  int64_t first;
  int length, begin;
  __device__ bool empty() const { return begin >= length; }
};

// The lengths of the sequences are known on the device alone. Sequence s gets the tiles from
// number ⌊offsets[s] / kTile⌋ + s on: they are enough for it, as ⌊(a+T)/k⌋ - ⌊a/k⌋ + 1 >= ⌈T/k⌉, and
// at most one of them is empty.
inline int64_t tiles_at_most(const AttentionGeometry& g, int tile_rows) {
  return g.rows / tile_rows + g.sequences;
}

// The tile of this block, found by whole warps: each step splits the range in which it must be by 32.
template <int kTile>
__device__ SequenceTile tile_of_block(const AttentionGeometry& g) {
  const int64_t wanted = blockIdx.x;
  int begin = 0, end = g.sequences;
  while (end - begin > 1) {
    const int step = (end - begin + kWarpSize - 1) / kWarpSize;
    const int probe = begin + lane_of_thread() * step;
    const bool before = probe < end && g.offsets[probe] / kTile + probe <= wanted;
    const int found = max(__popc(__ballot_sync(kFullWarp, before)) - 1, 0);
    begin += found * step;
    end = min(begin + step, end);
  }
  const int64_t first = g.offsets[begin], behind = g.offsets[begin + 1];
  const int64_t number = wanted - (first / kTile + begin);
  // Offsets that check_offsets reports must lead nowhere.
  if (first < 0 || behind > g.rows || number < 0) return {0, 0, 0};
  return {first, int(behind - first), int(number * kTile)};
}

// Offsets must rise from 0 to N: each of the blocks (x, 0) looks at some.
__device__ inline void check_offsets(const AttentionGeometry& g, FaultSink fault) {
  const int64_t s = grid_index();
  if (blockIdx.y != 0 || blockIdx.z != 0 || s >= g.sequences) return;
  const int32_t from = s == 0 ? 0 : g.offsets[s], to = g.offsets[s + 1];
  const bool broken = to < from || (s == 0 && g.offsets[0] != 0) ||
                      (s == g.sequences - 1 ? to != g.rows : to > g.rows);
  if (broken) report(fault, KernelFault::id_outside, s, to, g.rows);
}

}  // namespace laclip::cuda

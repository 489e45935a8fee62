// What the backward kernels of attention share: which rows a block owns, which pass by, and how scores become
// gradients.
#pragma once

#include "kernels/cuda/device/attention_geometry.cuh"
#include "kernels/cuda/device/ptx.cuh"

namespace laclip::cuda {

enum class Side { queries, keys };  // what a block owns

// A matrix of rows of one head within a sequence.
template <class T>
struct HeadRows {
  T* at;
  int64_t stride;
  __device__ T* row(int r) const { return at + r * stride; }
};

// What a block owns and what passes by. Passing tile number i of all:
template <class T, Side kOwner>
struct Pass {
  const AttentionGeometry& g;
  const SequenceTile& tile;
  const T *dy, *qkv;
  int rows;  // of a tile

  __device__ int key_head() const {
    return kOwner == Side::keys ? int(blockIdx.y) : int(blockIdx.y) / g.group();
  }
  // The first row that passes, and the one behind the last.
  __device__ int begin() const { return kOwner == Side::keys && g.causal ? tile.begin : 0; }
  __device__ int end() const {
    return kOwner == Side::queries && g.causal ? min(tile.begin + rows, tile.length) : tile.length;
  }
  __device__ int tiles_of_head() const { return (end() - begin() + rows - 1) / rows; }
  __device__ int tiles() const { return tiles_of_head() * (kOwner == Side::keys ? g.group() : 1); }
  __device__ int first_row(int i) const { return begin() + i % tiles_of_head() * rows; }
  // The query head of passing tile i.
  __device__ int head(int i) const {
    return kOwner == Side::keys ? key_head() * g.group() + i / tiles_of_head() : int(blockIdx.y);
  }

  __device__ HeadRows<const T> in_qkv(int column) const {
    return {qkv + tile.first * g.row_width() + column, g.row_width()};
  }
  __device__ HeadRows<const T> queries(int h) const { return in_qkv(g.query_column(h)); }
  __device__ HeadRows<const T> dout(int h) const {
    return {dy + tile.first * g.out_width() + g.query_column(h), g.out_width()};
  }
  __device__ HeadRows<const T> keys() const { return in_qkv(g.key_column(key_head())); }
  __device__ HeadRows<const T> values() const { return in_qkv(g.value_column(key_head())); }

  __device__ HeadRows<const T> own_first() const {
    return kOwner == Side::keys ? keys() : queries(head(0));
  }
  __device__ HeadRows<const T> own_second() const {
    return kOwner == Side::keys ? values() : dout(head(0));
  }
  __device__ HeadRows<const T> passing_first(int i) const {
    return kOwner == Side::keys ? queries(head(i)) : keys();
  }
  __device__ HeadRows<const T> passing_second(int i) const {
    return kOwner == Side::keys ? dout(head(i)) : values();
  }
  // Whether own row `a`, which may lie behind the last (what becomes of it is not stored), and passing
  // row `b` meet.
  __device__ bool meet(int a, int b) const {
    return b < tile.length && (!g.causal || (kOwner == Side::queries ? b <= a : a <= b));
  }
};

// The two statistics of a query, lse in powers of two.
struct Statistics {
  float lse, delta;
};
__device__ inline Statistics statistics_of(const float* lse, const float* delta,
                                           const AttentionGeometry& g, const SequenceTile& tile,
                                           int query, int head) {
  if (query >= tile.length) return {0, 0};
  const int64_t at = (tile.first + query) * g.heads + head;
  return {lse[at] * kLog2e, delta[at]};
}

// s becomes p, dp becomes ds without its factor 1/√D.
__device__ inline void differentiate(float& s, float& dp, Statistics of, float scale) {
  s = exp2_approximately(fmaf(s, scale, -of.lse));
  dp = s * (dp - of.delta);
}
__device__ inline void differentiate(float& s, float& dp, Statistics of, float scale, bool meet) {
  differentiate(s, dp, of, scale);
  if (!meet) s = dp = 0;
}

}  // namespace laclip::cuda

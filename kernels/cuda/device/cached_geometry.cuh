// Where rows, heads and cached tokens lie (kernels/ops/kv_cache.h).
#pragma once

#include <cstdint>

#include "kernels/cuda/device/cuda.cuh"

namespace laclip::cuda {

struct CacheRange {  // of each row
  const int32_t *begin, *count;
};

struct CacheGeometry {
  int64_t rows, tokens;   // N, T
  int D, heads, queries;  // queries: heads of a key head
  float scale;            // 1/√D · log₂e: scores are in powers of two

  __device__ int64_t row_width() const { return int64_t(heads + 2 * (heads / queries)) * D; }
  __device__ int64_t token_width() const { return int64_t(heads / queries) * D; }
  __device__ bool has(CacheRange range, int64_t n) const {
    return range.begin[n] >= 0 && range.count[n] >= 0 &&
           int64_t(range.begin[n]) + range.count[n] <= tokens;
  }
};

// The softmax of each row and head over its prefix, on the way to that over all its tokens: the largest
// score and the sum of weights [N H], the weighted values [N H D], which are there if the sum is not 0.
struct PrefixParts {
  struct Softmax {
    float largest, sum;
  };
  struct alignas(
      8) Pair {  // of neighbouring values, which D, a multiple of 8, puts at multiples of 8 bytes
    float first, second;
  };
  Softmax* softmax = nullptr;
  float* values = nullptr;
};

}  // namespace laclip::cuda

// W neighbouring elements of a row: one, or as many as make accesses of 16 bytes.
#pragma once

#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {

template <int W, class T>
__device__ void load_columns(float (&to)[W], const T* from) {
  if constexpr (W == 1) {
    to[0] = float(*from);
  } else {
#pragma unroll
    for (int part = 0; part < W; part += kPackSize<T>) {
      const Pack<T> pack = load16(from + part);
#pragma unroll
      for (int k = 0; k < kPackSize<T>; ++k) to[part + k] = float(pack[k]);
    }
  }
}
template <int W, class T>
__device__ void store_columns(T* to, const float (&from)[W]) {
  if constexpr (W == 1) {
    store(*to, from[0]);
  } else {
#pragma unroll
    for (int part = 0; part < W; part += kPackSize<T>) {
      Pack<T> pack;
#pragma unroll
      for (int k = 0; k < kPackSize<T>; ++k) store(pack[k], from[part + k]);
      store16_global(to + part, pack);
    }
  }
}
template <int W>
__device__ void add_columns(float (&sum)[W], const float (&value)[W]) {
#pragma unroll
  for (int k = 0; k < W; ++k) sum[k] += value[k];
}

template <int W, class T>
__device__ void copy_columns(T* to, const T* from) {
  if constexpr (W == 1)
    *to = *from;
  else
    store16_global(to, load16(from));
}

}  // namespace laclip::cuda

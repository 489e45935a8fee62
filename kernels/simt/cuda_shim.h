// CUDA's language and built-in functions for a host compiler, as far as kernels here use them. A
// .cu file that includes this compiles as C++ and runs on fibers (block.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/simt/launch.h"
#include "kernels/simt/runtime.h"
#include "kernels/simt/tensor_core.h"
#include "kernels/simt/thread.h"
#include "kernels/simt/vector_types.h"
#include "kernels/simt/warp.h"

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)

#define threadIdx (::laclip::simt::position().thread)
#define blockIdx (::laclip::simt::position().block)
#define blockDim (::laclip::simt::position().block_size)
#define gridDim (::laclip::simt::position().grid_size)

// ---- arithmetic
using std::max;
using std::min;
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return x ? std::countr_zero(unsigned(x)) + 1 : 0; }

// ---- atomics: whole, in no particular order
template <class T>
T atomicAdd(T* to, T value) {
  return std::atomic_ref<T>(*to).fetch_add(value);
}
template <class T>
T atomicCAS(T* to, T expected, T value) {
  std::atomic_ref<T>(*to).compare_exchange_strong(expected, value);
  return expected;
}
template <class T>
T atomicMax(T* to, T value) {
  std::atomic_ref<T> ref(*to);
  T seen = ref.load();
  while (seen < value && !ref.compare_exchange_weak(seen, value)) {
  }
  return seen;
}

// 16-byte access: Pack<T> is as many elements as 16 bytes hold.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/core/dtype.h"
#include "kernels/cuda/device/cuda.cuh"
#include "kernels/cuda/device/ptx.cuh"

namespace laclip::cuda {

template <class T>
inline constexpr int kPackSize = 16 / int(sizeof(T));

template <class T>
struct alignas(16) Pack {
  T values[kPackSize<T>];
  __device__ T& operator[](int i) { return values[i]; }
  __device__ const T& operator[](int i) const { return values[i]; }
};

// Whether rows of `width` elements that begin at each of the pointers can be read 16 bytes at a time.
template <class T, class... Pointers>
bool packs(int64_t width, const Pointers*... pointers) {
  return width % kPackSize<T> == 0 && ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

#ifdef __CUDACC__
template <class T>
__device__ Pack<T> load16(const T* from) {
  Pack<T> pack;
  *reinterpret_cast<uint4*>(&pack) = *reinterpret_cast<const uint4*>(from);
  return pack;
}
template <class T>
__device__ void store16(T* to, const Pack<T>& pack) {
  *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(&pack);
}
#else
inline void check_aligned16(const void* address) {
  check(reinterpret_cast<uintptr_t>(address) % 16 == 0,
        "a 16-byte access at {}, which is not a multiple of 16", address);
}
template <class T>
Pack<T> load16(const T* from) {
  check_aligned16(from);
  Pack<T> pack;
  std::memcpy(&pack, from, 16);
  return pack;
}
template <class T>
void store16(T* to, const Pack<T>& pack) {
  check_aligned16(to);
  std::memcpy(to, &pack, 16);
}
#endif

// store16 to global memory as one instruction: where the compiler does not see that 16 bytes belong
// together, it makes four of the plain assignment.
template <class T>
__device__ void store16_global(T* to, const Pack<T>& pack) {
  uint32_t words[4];
  memcpy(words, &pack, 16);
  store_global16(to, words);
}

}  // namespace laclip::cuda

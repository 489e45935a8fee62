// Vectors of the level's width, by the compilers' vector extensions.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/core/dtype.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

#if defined(__AVX512F__)
inline constexpr int64_t kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int64_t kVectorBytes = 32;
#else
inline constexpr int64_t kVectorBytes = 16;
#endif
inline constexpr int64_t kLanes = kVectorBytes / 4;

using Floats = float __attribute__((vector_size(kVectorBytes)));
using Bits = uint32_t __attribute__((vector_size(kVectorBytes)));
using Halves = uint16_t __attribute__((vector_size(kVectorBytes / 2)));

inline Floats load_floats(const float* from) {
  Floats floats;
  std::memcpy(&floats, from, sizeof floats);
  return floats;
}
inline Floats load_floats(const bf16* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return Floats(__builtin_convertvector(halves, Bits) << 16);
}
// The first `count` of them, then zeros.
template <class T>
Floats load_part(const T* from, int64_t count) {
  T part[kLanes] = {};
  std::memcpy(part, from, size_t(count) * sizeof(T));
  return load_floats(part);
}
inline void store_floats(float* to, Floats floats) { std::memcpy(to, &floats, sizeof floats); }

// Sums of the lanes, in one order: halves are added until four lanes are left, then (0 + 2) + (1 + 3).
using Four = float __attribute__((vector_size(16)));

inline Four fold(Floats floats) {
#if defined(__AVX512F__)
  using Eight = float __attribute__((vector_size(32)));
  const Eight half = __builtin_shufflevector(floats, floats, 0, 1, 2, 3, 4, 5, 6, 7) +
                     __builtin_shufflevector(floats, floats, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  const Floats half = floats;
#endif
#if defined(__AVX2__)
  return __builtin_shufflevector(half, half, 0, 1, 2, 3) +
         __builtin_shufflevector(half, half, 4, 5, 6, 7);
#else
  return half;
#endif
}
inline float sum_of_lanes(Floats floats) {
  const Four four = fold(floats);
  return (four[0] + four[2]) + (four[1] + four[3]);
}
inline Four sums_of_lanes(const Floats (&of)[4]) {
  const Four a = fold(of[0]), b = fold(of[1]), c = fold(of[2]), d = fold(of[3]);
  const Four ab =
      __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd =
      __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

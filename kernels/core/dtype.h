// Element types of tensors.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "base/check.h"

// Functions that kernels call, too.
#ifdef __CUDACC__
#define LACLIP_HOST_DEVICE __host__ __device__
#else
#define LACLIP_HOST_DEVICE
#endif

namespace laclip {

enum class DType : uint8_t { f32, bf16, f16, i32, u8, i64, f64 };

// Brain floating point: the upper half of an fp32. Conversion from float rounds to nearest even.
struct bf16 {
  uint16_t bits;
  bf16() = default;
  LACLIP_HOST_DEVICE explicit bf16(float value) : bits(round_bits(value)) {}
  LACLIP_HOST_DEVICE operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }

  LACLIP_HOST_DEVICE static uint16_t round_bits(float value) {
#ifdef __CUDA_ARCH__  // one instruction since compute capability 8.0, the same rounding
    uint16_t rounded_bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded_bits) : "f"(value));
    return rounded_bits;
#else
    const uint32_t word = std::bit_cast<uint32_t>(value);
    const uint32_t rounded = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
    const bool nan = (word & 0x7fffffffu) > 0x7f800000u;
    return uint16_t(nan ? (word >> 16) | 0x40u : rounded);
#endif
  }
};

// to = value, rounded. Loops store through this: a temporary bf16 object keeps g++ from
// vectorising.
LACLIP_HOST_DEVICE inline void store(float& to, float value) { to = value; }
LACLIP_HOST_DEVICE inline void store(bf16& to, float value) { to.bits = bf16::round_bits(value); }

constexpr int64_t size_of(DType type) {
  switch (type) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
      return 2;
    case DType::u8:
      return 1;
    case DType::i64:
    case DType::f64:
      return 8;
  }
  return 0;
}

constexpr std::string_view name_of(DType type) {
  switch (type) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::f16:
      return "f16";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
    case DType::i64:
      return "i64";
    case DType::f64:
      return "f64";
  }
  return "?";
}

template <class T>
inline constexpr DType dtype_of = [] { static_assert(!sizeof(T)); }();
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<double> = DType::f64;

template <class T>
struct TypeTag {
  using type = T;
};

// Calls body(TypeTag<T>{}) with the C++ type of an activation: float or bf16.
template <class Body>
decltype(auto) dispatch_float(DType type, Body&& body) {
  switch (type) {
    case DType::f32:
      return body(TypeTag<float>{});
    case DType::bf16:
      return body(TypeTag<bf16>{});
    default:
      fail("element type {} where f32 or bf16 is needed", name_of(type));
  }
}

}  // namespace laclip

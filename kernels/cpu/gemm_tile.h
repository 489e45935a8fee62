// The inner loops of the GEMM: a tile of rows and columns whose sums stay in registers over k.
//
//   sums[R kColumns] (+)= a[k][kRows] b[k][kColumns]         panels of gemm_pack.h
//
// b is packed as fp32, or as pairs of bf16, which are widened in registers.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/vector.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

// A tile's sums, the columns of b at one k and a broadcast element of a fill the registers: 16 of 256 bits with AVX2,
// 32 of 512 with AVX-512, 16 of 128 in the baseline.
#if defined(__AVX512F__)
inline constexpr int64_t kRows = 12;
#else
inline constexpr int64_t kRows = 6;
#endif
inline constexpr int64_t kColumns = 2 * kLanes;

// `panels` of b side by side, `b_stride` bytes apart; those of the sums follow each other, kRows·kColumns apart.
using Multiply = void(float* sums, const void* a, const void* b, int64_t b_stride, int64_t words,
                      bool first);

template <int R, int P, Words kind>
void multiply_tile(float* sums, const void* a_panel, const void* b_panels, int64_t b_stride,
                   int64_t words, bool first) {
  // Everything is unrolled: an array indexed by a variable cannot stay in registers.
  Floats s[R][2 * P];
  const auto for_each_sum = [&](auto&& body) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int v = 0; v < 2 * P; ++v)
        body(s[r][v], sums + (v / 2 * kRows + r) * kColumns + v % 2 * kLanes);
  };
  if (first)
    for_each_sum([](Floats& sum, const float*) { sum = Floats{}; });
  else
    for_each_sum([](Floats& sum, const float* from) { sum = load_floats(from); });
  const auto* a = static_cast<const float*>(a_panel);
  const char* b[P];
  for (int p = 0; p < P; ++p) b[p] = static_cast<const char*>(b_panels) + p * b_stride;
  const auto add = [&](const float* left, const Floats(&right)[2 * P]) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int v = 0; v < 2 * P; ++v) s[r][v] += left[r] * right[v];
  };
  for (int64_t word = 0; word < words; ++word) {
    Floats right[2 * P];
    if constexpr (kind == Words::fp32) {
      for (int p = 0; p < P; ++p)
        for (int v = 0; v < 2; ++v)
          right[2 * p + v] = load_floats(reinterpret_cast<const float*>(b[p]) + v * kLanes);
      add(a, right);
      a += kRows;
    } else {
      const auto pairs = [&](int v) {
        Bits bits;
        std::memcpy(&bits, b[v / 2] + v % 2 * kVectorBytes, kVectorBytes);
        return bits;
      };
      for (int v = 0; v < 2 * P; ++v) right[v] = Floats(pairs(v) << 16);
      add(a, right);
      for (int v = 0; v < 2 * P; ++v) right[v] = Floats(pairs(v) & 0xffff0000u);
      add(a + kRows, right);
      a += 2 * kRows;
    }
    for (int p = 0; p < P; ++p) b[p] += 2 * kVectorBytes;
  }
  for_each_sum([](const Floats& sum, float* to) { std::memcpy(to, &sum, kVectorBytes); });
}

// Few rows leave registers free: more panels hide the latency of the sums' chains.
constexpr int panels_at_once(int64_t rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }

// With at most this many rows, pairs are widened in registers; with more, once per panel into memory (widen_panel).
inline constexpr int64_t kFewRows = 3;

template <Words kind>
Multiply* tile_function(int64_t rows, int panels) {
  constexpr auto kMost = size_t(kind == Words::pairs ? kFewRows : kRows);
  static constexpr auto kOnePanel = []<size_t... R>(std::index_sequence<R...>) {
    return std::array<Multiply*, sizeof...(R)>{multiply_tile<int(R) + 1, 1, kind>...};
  }
  (std::make_index_sequence<kMost>{});
  if (panels == 4) return multiply_tile<1, 4, kind>;
  if (panels == 2) return multiply_tile<2, 2, kind>;
  return kOnePanel[size_t(rows - 1)];
}

// Pairs of bf16 [words][kColumns] as fp32 [2 words][kColumns].
inline void widen_panel(uint32_t* to, const uint32_t* pairs, int64_t words) {
  for (int64_t word = 0; word < words; ++word, pairs += kColumns, to += 2 * kColumns)
    for (int64_t j = 0; j < kColumns; j += kLanes) {
      Bits bits;
      std::memcpy(&bits, pairs + j, sizeof bits);
      const Bits first = bits << 16, second = bits & 0xffff0000u;
      std::memcpy(to + j, &first, sizeof first);
      std::memcpy(to + j + kColumns, &second, sizeof second);
    }
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

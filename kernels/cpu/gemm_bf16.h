// Tiles of bf16 GEMMs by the CPU's instructions for them. They multiply and add pairs along k: VDPBF16PS a vector of
// sums, TDPBF16PS (AMX) a tile of 16x16 of them over 32 k's.
#pragma once

#include "kernels/cpu/gemm_tile.h"

#if defined(__AVX512F__)
#include <immintrin.h>

namespace laclip::cpu::LACLIP_CPU_LEVEL {

template <int R, int P>
[[gnu::target("avx512bf16")]] void dot_tile(float* sums, const void* a_panel, const void* b_panels,
                                            int64_t b_stride, int64_t words, bool first) {
  Floats s[R][2 * P];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < 2 * P; ++v)
      s[r][v] =
          first ? Floats{} : load_floats(sums + (v / 2 * kRows + r) * kColumns + v % 2 * kLanes);
  const auto* a = static_cast<const int32_t*>(a_panel);
  const char* b[P];
  for (int p = 0; p < P; ++p) b[p] = static_cast<const char*>(b_panels) + p * b_stride;
  for (int64_t word = 0; word < words; ++word, a += kRows) {
    __m512i right[2 * P];
    for (int p = 0; p < P; ++p) {
      right[2 * p] = _mm512_loadu_si512(b[p]);
      right[2 * p + 1] = _mm512_loadu_si512(b[p] + kVectorBytes);
      b[p] += 2 * kVectorBytes;
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const __m512i left = _mm512_set1_epi32(a[r]);
#pragma GCC unroll 16
      for (int v = 0; v < 2 * P; ++v)
        s[r][v] = _mm512_dpbf16_ps(s[r][v], __m512bh(left), __m512bh(right[v]));
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < 2 * P; ++v)
      std::memcpy(sums + (v / 2 * kRows + r) * kColumns + v % 2 * kLanes, &s[r][v], kVectorBytes);
}

inline Multiply* dot_function(int64_t rows, int panels) {
  static constexpr auto kOnePanel = []<size_t... R>(std::index_sequence<R...>) {
    return std::array<Multiply*, sizeof...(R)>{dot_tile<int(R) + 1, 1>...};
  }
  (std::make_index_sequence<size_t(kRows)>{});
  if (panels == 4) return dot_tile<1, 4>;
  if (panels == 2) return dot_tile<2, 2>;
  return kOnePanel[size_t(rows - 1)];
}

// ---- AMX: registers 0-3 hold the sums of 32x32, 4 and 5 rows of a, 6 and 7 columns of b.
inline constexpr int64_t kTileRows = 32, kTileColumns = 32, kTileWords = 16;

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
// A global, not a local: g++ 12 takes _tile_loadconfig to read only eight bytes, and could drop the stores to a local.
inline const TileConfig kTileConfig;

[[gnu::target("amx-tile")]] inline void configure_tiles() { _tile_loadconfig(&kTileConfig); }
[[gnu::target("amx-tile")]] inline void release_tiles() { _tile_release(); }

[[gnu::target("amx-tile,amx-bf16")]] inline void amx_tile_32(float* sums, const void* a_panel,
                                                             const void* b_panel, int64_t,
                                                             int64_t words, bool first) {
  constexpr int64_t kStride = kTileColumns * 4;
  float* lower = sums + 16 * kTileColumns;
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, kStride);
    _tile_loadd(1, sums + 16, kStride);
    _tile_loadd(2, lower, kStride);
    _tile_loadd(3, lower + 16, kStride);
  }
  const auto* a = static_cast<const uint32_t*>(a_panel);
  const auto* b = static_cast<const uint32_t*>(b_panel);
  for (int64_t word = 0; word < words; word += kTileWords) {
    _tile_loadd(6, b, kStride);
    _tile_loadd(4, a, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + 16, kStride);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + 16 * kTileWords, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    a += kTileRows * kTileWords;
    b += kTileWords * kTileColumns;
  }
  _tile_stored(0, sums, kStride);
  _tile_stored(1, sums + 16, kStride);
  _tile_stored(2, lower, kStride);
  _tile_stored(3, lower + 16, kStride);
}

[[gnu::target("amx-tile,amx-bf16")]] inline void amx_tile_16(float* sums, const void* a_panel,
                                                             const void* b_panel, int64_t,
                                                             int64_t words, bool first) {
  constexpr int64_t kStride = kTileColumns * 4;
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
  } else {
    _tile_loadd(0, sums, kStride);
    _tile_loadd(1, sums + 16, kStride);
  }
  const auto* a = static_cast<const uint32_t*>(a_panel);
  const auto* b = static_cast<const uint32_t*>(b_panel);
  for (int64_t word = 0; word < words; word += kTileWords) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, kStride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + 16, kStride);
    _tile_dpbf16ps(1, 4, 7);
    a += kTileRows * kTileWords;
    b += kTileWords * kTileColumns;
  }
  _tile_stored(0, sums, kStride);
  _tile_stored(1, sums + 16, kStride);
}

inline Multiply* amx_function(int64_t rows, int) { return rows > 16 ? amx_tile_32 : amx_tile_16; }

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL
#endif

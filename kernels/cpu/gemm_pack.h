// Packing: operands of a GEMM rearranged into panels of W lines (rows of a or columns of b), so that a tile reads
// them with one stride. A panel holds words of 32 bits, [k][W]: an fp32 (widened, if the operand is bf16), or a pair
// of bf16 that follow each other along k. Lines that are not there are zero.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/core/dtype.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

enum class Words : uint8_t { fp32, pairs };

// An operand seen as lines along k: element (line, k) is at line·line_stride + k·k_stride, one of which is 1.
struct Lines {
  const void* data;
  int64_t count, length;  // lines, k's
  int64_t line_stride, k_stride;
};

using Quad = uint32_t __attribute__((vector_size(16)));

inline Quad load_quad(const void* from) {
  Quad quad;
  std::memcpy(&quad, from, sizeof quad);
  return quad;
}
inline void store_quad(uint32_t* to, Quad quad) { std::memcpy(to, &quad, sizeof quad); }

inline void transpose(Quad (&q)[4]) {
  const Quad a = __builtin_shufflevector(q[0], q[1], 0, 4, 1, 5);
  const Quad b = __builtin_shufflevector(q[2], q[3], 0, 4, 1, 5);
  const Quad c = __builtin_shufflevector(q[0], q[1], 2, 6, 3, 7);
  const Quad d = __builtin_shufflevector(q[2], q[3], 2, 6, 3, 7);
  q[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
  q[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
  q[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
  q[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

// How elements T become words. kDepth: elements along k of a word. at(): the word that begins at an element; a pair
// takes the next element along k, `stride` further on, or zero past the end (`left` elements remain).
template <class T, Words W>
struct Word;

template <>
struct Word<float, Words::fp32> {
  static constexpr int64_t kDepth = 1;
  static Quad along_k(const float* from) { return load_quad(from); }
  static uint32_t at(const float* from, int64_t, int64_t) { return std::bit_cast<uint32_t>(*from); }
};

template <>
struct Word<bf16, Words::fp32> {
  static constexpr int64_t kDepth = 1;
  static Quad along_k(const bf16* from) {
    uint16_t bits __attribute__((vector_size(8)));
    std::memcpy(&bits, from, sizeof bits);
    return __builtin_convertvector(bits, Quad) << 16;
  }
  static uint32_t at(const bf16* from, int64_t, int64_t) { return uint32_t(from->bits) << 16; }
};

template <>
struct Word<bf16, Words::pairs> {
  static constexpr int64_t kDepth = 2;
  static Quad along_k(const bf16* from) { return load_quad(from); }
  static uint32_t at(const bf16* from, int64_t stride, int64_t left) {
    return from[0].bits | (left > 1 ? uint32_t(from[stride].bits) << 16 : 0u);
  }
};

// Lines first … first + W - 1, k's begin … end - 1, as one panel [words][W] at `to`, filled up with zeros to
// `words`.
template <class T, Words kind, int64_t W>
void pack_panel(uint32_t* to, const Lines& from, int64_t first, int64_t begin, int64_t end,
                int64_t words) {
  using Of = Word<T, kind>;
  constexpr int64_t kDepth = Of::kDepth;
  const int64_t lines = std::min(W, from.count - first), length = end - begin;
  const T* source =
      static_cast<const T*>(from.data) + first * from.line_stride + begin * from.k_stride;
  const int64_t used = (length + kDepth - 1) / kDepth, whole = length / kDepth;
  if (lines < W) std::fill(to, to + used * W, 0u);
  std::fill(to + used * W, to + words * W, 0u);
  if (from.k_stride == 1) {
    for (int64_t line = 0; line < lines; line += 4) {
      const int64_t width = std::min<int64_t>(4, lines - line);
      int64_t word = 0;
      for (; word + 4 <= whole; word += 4) {
        Quad quads[4];
        for (int64_t i = 0; i < 4; ++i)  // a line that is not there repeats the last one
          quads[i] = Of::along_k(source + (line + std::min(i, width - 1)) * from.line_stride +
                                 word * kDepth);
        transpose(quads);
        uint32_t* out = to + word * W + line;
        const auto store = [&](auto count) {  // of lines; a constant where panels are whole
          for (int64_t i = 0; i < 4; ++i)
            std::memcpy(out + i * W, &quads[i], size_t(count) * sizeof(uint32_t));
        };
        if (width == 4)
          store(std::integral_constant<int64_t, 4>{});
        else if (width == W % 4)
          store(std::integral_constant<int64_t, W % 4>{});
        else
          store(width);
      }
      for (; word < used; ++word)
        for (int64_t i = 0; i < width; ++i)
          to[word * W + line + i] = Of::at(source + (line + i) * from.line_stride + word * kDepth,
                                           1, length - word * kDepth);
    }
    return;
  }
  for (int64_t word = 0; word < used; ++word) {  // line_stride is 1
    const T* row = source + word * kDepth * from.k_stride;
    uint32_t* out = to + word * W;
    if (lines == W && word < whole)
      for (int64_t line = 0; line < W; ++line)
        out[line] = Of::at(row + line, from.k_stride, kDepth);
    else
      for (int64_t line = 0; line < lines; ++line)
        out[line] = Of::at(row + line, from.k_stride, length - word * kDepth);
  }
}

// Rows of a as AMX's tiles take them, two of 16 rows each below the other: [words/16][32 rows][16 words of pairs].
inline void pack_tile_rows(uint32_t* to, const Lines& from, int64_t first, int64_t begin,
                           int64_t end, int64_t words) {
  constexpr int64_t kRows = 32, kWords = 16;
  using Pair = Word<bf16, Words::pairs>;
  const int64_t lines = std::min(kRows, from.count - first), length = end - begin;
  const int64_t whole = length / 2;  // words that hold two k's
  const bf16* source =
      static_cast<const bf16*>(from.data) + first * from.line_stride + begin * from.k_stride;
  std::fill(to, to + words * kRows, 0u);
  const auto place = [&](int64_t line, int64_t word) {
    return to + (word / kWords * kRows + line) * kWords + word % kWords;
  };
  if (from.k_stride == 1) {
    for (int64_t line = 0; line < lines; ++line)
      for (int64_t word = 0; 2 * word < length; word += kWords)
        std::memcpy(place(line, word), source + line * from.line_stride + 2 * word,
                    size_t(std::min(2 * kWords, length - 2 * word)) * sizeof(bf16));
    return;
  }
  const auto words_at = [&](int64_t line, int64_t word, int64_t count) {
    const bf16* at = source + line + 2 * word * from.k_stride;
    Quad quad{};
    for (int64_t i = 0; i < count; ++i)
      quad[i] = Pair::at(at + i, from.k_stride, length - 2 * word);
    return quad;
  };
  for (int64_t line = 0; line < lines; line += 4) {
    const int64_t count = std::min<int64_t>(4, lines - line);
    int64_t word = 0;
    if (count == 4)
      for (; word + 4 <= whole; word += 4) {
        Quad quads[4];
        for (int64_t i = 0; i < 4; ++i) quads[i] = words_at(line, word + i, 4);
        transpose(quads);
        for (int64_t i = 0; i < 4; ++i) store_quad(place(line + i, word), quads[i]);
      }
    for (; 2 * word < length; ++word) {
      const Quad quad = words_at(line, word, count);
      for (int64_t i = 0; i < count; ++i) *place(line + i, word) = quad[i];
    }
  }
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

// Tensor-core instructions on the host: all lanes of the warp come with their fragments, and the
// product is made once.
//
// With g = lane / 4 and t = lane % 4, the registers of a lane hold (16-bit elements in pairs, the
// first in the lower half):
//
//   a[16 16]  a0: (g, 2t) (g, 2t+1)   a1: row g+8    a2: columns + 8    a3: both
//   b[16 8]   b0: (2t, g) (2t+1, g)   b1: rows + 8
//   d[16 8]   d0: (g, 2t)   d1: (g, 2t+1)   d2, d3: row g+8
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/simt/thread.h"

namespace laclip::simt {

using HalfToFloat = float (*)(uint16_t);

struct MatrixProduct {  // d += a b
  float* d;
  const uint32_t *a, *b;
  HalfToFloat to_float;

  static void resolve(void* const* slots) {
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; ++lane) {
      const auto& s = *static_cast<const MatrixProduct*>(slots[lane]);
      const int g = lane / 4, t = lane % 4;
      for (int half = 0; half < 2; ++half) {
        const auto value = [&](uint32_t pair) { return s.to_float(uint16_t(pair >> 16 * half)); };
        const int column = 2 * t + half;
        a[g][column] = value(s.a[0]);
        a[g + 8][column] = value(s.a[1]);
        a[g][column + 8] = value(s.a[2]);
        a[g + 8][column + 8] = value(s.a[3]);
        b[column][g] = value(s.b[0]);
        b[column + 8][g] = value(s.b[1]);
      }
    }
    float product[16][8] = {};
    for (int i = 0; i < 16; ++i)
      for (int k = 0; k < 16; ++k)
        for (int j = 0; j < 8; ++j) product[i][j] += a[i][k] * b[k][j];
    for (int lane = 0; lane < 32; ++lane) {
      float* d = static_cast<const MatrixProduct*>(slots[lane])->d;
      const int g = lane / 4, t = lane % 4;
      for (int half = 0; half < 2; ++half) {
        d[half] += product[g][2 * t + half];
        d[2 + half] += product[g + 8][2 * t + half];
      }
    }
  }
};

inline void mma_m16n8k16(float* d, const uint32_t* a, const uint32_t* b, HalfToFloat to_float,
                         Place place) {
  MatrixProduct slot{d, a, b, to_float};
  warp_collective(0xffffffffu, "mma", &slot, &MatrixProduct::resolve, place);
}

struct MatrixLoad {
  uint32_t* to;
  const void* row;
  bool transposed;
  Place place;

  static void resolve(void* const* slots) {
    for (int matrix = 0; matrix < 4; ++matrix) {
      const void* rows[8];
      uint16_t m[8][8];
      for (int r = 0; r < 8; ++r) {
        rows[r] = static_cast<const MatrixLoad*>(slots[8 * matrix + r])->row;
        std::memcpy(m[r], rows[r], 16);
      }
      check_banks(rows, static_cast<const MatrixLoad*>(slots[0])->place);
      for (int lane = 0; lane < 32; ++lane) {
        const auto& s = *static_cast<const MatrixLoad*>(slots[lane]);
        const int g = lane / 4, t = lane % 4;
        const uint16_t low = s.transposed ? m[2 * t][g] : m[g][2 * t];
        const uint16_t high = s.transposed ? m[2 * t + 1][g] : m[g][2 * t + 1];
        s.to[matrix] = uint32_t(low) | uint32_t(high) << 16;
      }
    }
  }
};

inline void load_matrices(uint32_t* to, const void* row, bool transposed, Place place) {
  check_shared(row, 16, place);
  MatrixLoad slot{to, row, transposed, place};
  warp_collective(0xffffffffu, "ldmatrix", &slot, &MatrixLoad::resolve, place);
}

}  // namespace laclip::simt

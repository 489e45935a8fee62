// How a block brings one operand's tiles to shared memory, step by step along k.
//
// A thread has one pack of 16 bytes of every kLinesAtOnce-th line of a tile. It keeps the address of its
// first one and goes on from it: computing addresses and limits anew for every copy takes more
// instructions than the products of a step.
#pragma once

#include "kernels/cuda/device/ptx.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {

// Tiles of kLines × kWidth elements; lines run along k (a step is kDepth elements of each) or across it
// (a step is kDepth lines).
template <class T, int kThreads, int kLines, int kWidth, int kDepth, bool kAlongK>
struct TileSource {
  static constexpr int kPacks = kWidth / kPackSize<T>, kLinesAtOnce = kThreads / kPacks;
  static_assert(kThreads % kPacks == 0 && kLines % kLinesAtOnce == 0);
  static_assert(kAlongK ? kDepth == kWidth : kDepth == kLines);

  const T* at;           // of this thread's first pack, in the step that comes next
  int64_t lines, width;  // what the matrix has from there on; none: zeros
  int64_t stride;        // from a line to the next

  // Of a matrix of lines × width; tiles begin at `row` across k, and at `k`.
  __device__ TileSource(const T* matrix, int64_t all_lines, int64_t all_width, int64_t line_stride,
                        int64_t row, int64_t k)
      : stride(line_stride) {
    const int64_t line = (kAlongK ? row : k) + own_line();
    const int64_t column = (kAlongK ? k : row) + own_pack() * kPackSize<T>;
    at = matrix + line * stride + column;
    lines = all_lines - line;
    width = all_width - column;
  }
  static __device__ int own_line() { return int(threadIdx.x) / kPacks; }
  static __device__ int own_pack() { return int(threadIdx.x) % kPacks; }

  // Brings a step: the thread's first pack to `to`, those of later lines to_stride elements a line
  // further on. kPacked: lines of the matrix begin at multiples of 16 bytes and are whole packs, and the
  // copies are asynchronous.
  template <bool kPacked>
  __device__ void fill(T* to, int to_stride) {
    const int left = width <= 0 ? 0 : int(min(lines, int64_t(kLines)));
#pragma unroll
    for (int i = 0; i < kLines / kLinesAtOnce; ++i) {
      const bool inside = i * kLinesAtOnce < left;
      const T* from = at + i * kLinesAtOnce * stride;
      T* place = to + i * kLinesAtOnce * to_stride;
      if constexpr (kPacked) {
        cp_async16(place, from, inside ? 16 : 0);  // of 0 bytes nothing is read, wherever they are
      } else {
        Pack<T> pack;
#pragma unroll
        for (int e = 0; e < kPackSize<T>; ++e) pack[e] = inside && e < width ? from[e] : T(0.0f);
        store16(place, pack);
      }
    }
    at += kAlongK ? kDepth : kDepth * stride;
    (kAlongK ? width : lines) -= kDepth;
  }
};

}  // namespace laclip::cuda

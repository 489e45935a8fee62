// A tile of a matrix product in the registers of a block: s[m n] = Σ_k a(m, k) b(n, k), which is
// what the ops on logits need that never store them. fp32 by FMAs, bf16 by tensor cores.
//
// The operands go through shared memory in steps of 64 bytes along k, copied asynchronously while
// the steps before are multiplied. Bytes from the caches for a tile: its two operands once.
#pragma once

#include "kernels/core/roles.h"
#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/ptx.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/tile_source.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {

// A matrix in memory, lines of contiguous elements.
template <class T>
struct LogitOperand {
  const T* data;
  int64_t lines, width, stride;  // width: elements of a line; stride: from one line to the next
};

// Lines begin … begin + count - 1 of a dense matrix, as far as it has them.
template <class T>
LogitOperand<T> rows_of(In matrix, int64_t begin, int64_t count) {
  const int64_t width = matrix[1], left = matrix[0] - begin;
  return {matrix.as<T>() + begin * width, left < count ? left : count, width, width};
}

// What a line runs along: k, or the rows of s (for b: its columns).
enum class Lines : uint8_t { along_k, across_k };

inline constexpr int kLogitThreads = 256;
inline constexpr int kLogitWarps = kLogitThreads / kWarpSize;

// How a tile lies over the warps of a block (kWarpRows × kWarpColumns) and the lanes of a warp, of
// which kRowLanes neighbours share their rows. A thread owns kOwnRows × kOwnColumns logits.
template <class T>
struct LogitShape;
template <>
struct LogitShape<float> {
  static constexpr int kWarpRows = 4, kWarpColumns = 2, kRowLanes = 8;
  static constexpr int kOwnRows = 8, kOwnColumns = 4, kStages = 3;
};
template <>
struct LogitShape<bf16> {
  static constexpr int kWarpRows = 2, kWarpColumns = 4, kRowLanes = 4;
  static constexpr int kOwnRows = 8, kOwnColumns = 8, kStages = 3;
};

// `Size` rows of one operand in shared memory. 16 bytes behind each line put the eight rows that
// are read at once into different banks.
template <class T, Lines L, int Size>
struct LogitStage {
  static constexpr int kDepth = 64 / int(sizeof(T));
  static constexpr int kLines = L == Lines::along_k ? Size : kDepth;
  static constexpr int kWidth = L == Lines::along_k ? kDepth : Size;
  static constexpr int kStride = kWidth + kPackSize<T>;
  alignas(16) T elements[kLines * kStride];

  __device__ const T* at(int row, int k) const {
    return elements + (L == Lines::along_k ? row * kStride + k : k * kStride + row);
  }

  using Source = TileSource<T, kLogitThreads, kLines, kWidth, kDepth, L == Lines::along_k>;
  static __device__ Source source(const LogitOperand<T>& from, int64_t row) {
    return {from.data, from.lines, from.width, from.stride, row, 0};
  }
  // Begins to fill it with the next step.
  template <bool Packed>
  __device__ void fill(Source& from) {
    from.template fill<Packed>(elements + Source::own_line() * kStride +
                                   Source::own_pack() * kPackSize<T>,
                               kStride);
  }
};

template <class T, Lines A = Lines::along_k, Lines B = Lines::along_k>
class LogitTile : public LogitShape<T> {
  using Shape = LogitShape<T>;
  static constexpr int kWarpHeight = Shape::kOwnRows * kWarpSize / Shape::kRowLanes;
  static constexpr int kWarpWidth = Shape::kOwnColumns * Shape::kRowLanes;

 public:
  static constexpr int kRows = kWarpHeight * Shape::kWarpRows;
  static constexpr int kColumns = kWarpWidth * Shape::kWarpColumns;
  // Columns j … j + kRun - 1 of a thread are neighbours, for j a multiple of kRun.
  static constexpr int kRun = sizeof(T) == 2 ? 2 : B == Lines::across_k ? 4 : 1;

  struct Shared {
    using StageA = LogitStage<T, A, kRows>;
    using StageB = LogitStage<T, B, kColumns>;
    struct Stage {
      StageA a;
      StageB b;
    } stages[Shape::kStages];
  };

  // Where the logit (i, j) of this thread is in the tile.
  __device__ static int row(int i) {
    if constexpr (sizeof(T) == 2) return warp_row() + i * 8 + high_lane();
    return warp_row() +
           (A == Lines::along_k ? high_lane() + 4 * i : 4 * high_lane() + i % 4 + i / 4 * 16);
  }
  __device__ static int column(int j) {
    if constexpr (sizeof(T) == 2) return warp_column() + j / 2 * 8 + 2 * low_lane() + j % 2;
    return warp_column() + (B == Lines::along_k ? low_lane() + 8 * j : 4 * low_lane() + j);
  }
  __device__ static int warp_row_index() { return warp_of_thread() / Shape::kWarpColumns; }
  __device__ static int warp_column_index() { return warp_of_thread() % Shape::kWarpColumns; }

  __device__ float& operator()(int i, int j) {
    if constexpr (sizeof(T) == 2)
      return sums_[i / 2][j / 2][i % 2 * 2 + j % 2];
    else
      return sums_[i][0][j];
  }

  // The product with a from `row` and b from `column` on. Begins with a barrier behind what the
  // block did before, so `shared` may be what is left of the product before.
  template <bool Packed>
  __device__ void multiply(Shared& shared, const LogitOperand<T>& a, int64_t row,
                           const LogitOperand<T>& b, int64_t column, int64_t depth) {
    constexpr int kAhead = Shape::kStages - 1;
#pragma unroll
    for (int i = 0; i < Shape::kOwnRows; ++i)
#pragma unroll
      for (int j = 0; j < Shape::kOwnColumns; ++j) (*this)(i, j) = 0.0f;
    const int steps = int((depth + kDepth - 1) / kDepth);
    auto from_a = Shared::StageA::source(a, row);
    auto from_b = Shared::StageB::source(b, column);
    const auto fill = [&](int step, int stage) {
      if (step < steps) {
        shared.stages[stage].a.template fill<Packed>(from_a);
        shared.stages[stage].b.template fill<Packed>(from_b);
      }
      cp_async_commit();
    };
    __syncthreads();  // nobody reads any more what the block had in the stages
#pragma unroll
    for (int step = 0; step < kAhead; ++step) fill(step, step);
    int stage = 0, free_stage = kAhead;
    for (int step = 0; step < steps; ++step) {
      cp_async_wait<kAhead - 1>();
      __syncthreads();  // the step is there from all threads, and all have read the one before it
      fill(step + kAhead, free_stage);
      add_step(shared.stages[stage]);
      free_stage = stage;
      stage = stage + 1 < Shape::kStages ? stage + 1 : 0;
    }
  }

 private:
  static constexpr int kDepth = LogitStage<T, A, kRows>::kDepth;

  __device__ static int low_lane() { return lane_of_thread() % Shape::kRowLanes; }
  __device__ static int high_lane() { return lane_of_thread() / Shape::kRowLanes; }
  __device__ static int warp_row() { return warp_row_index() * kWarpHeight; }
  __device__ static int warp_column() { return warp_column_index() * kWarpWidth; }

  // Four values of k for each of Own rows, Lanes lanes side by side.
  template <int Own, int Lanes, Lines L, int Size>
  __device__ static void load_four(float (&to)[Own][4], const LogitStage<float, L, Size>& stage,
                                   int first, int lane, int k) {
    if constexpr (L == Lines::along_k) {
#pragma unroll
      for (int i = 0; i < Own; ++i) {
        const Pack<float> pack = load16(stage.at(first + lane + Lanes * i, k));
#pragma unroll
        for (int e = 0; e < 4; ++e) to[i][e] = pack[e];
      }
    } else {
#pragma unroll
      for (int e = 0; e < 4; ++e)
#pragma unroll
        for (int i = 0; i < Own; i += 4) {
          const Pack<float> pack = load16(stage.at(first + 4 * lane + Lanes * i, k + e));
#pragma unroll
          for (int r = 0; r < 4; ++r) to[i + r][e] = pack[r];
        }
    }
  }

  __device__ void add_step(const typename Shared::Stage& stage) {
    if constexpr (sizeof(T) == 4) {
#pragma unroll 1
      for (int k = 0; k < kDepth; k += 4) {
        float a[4][4], b[Shape::kOwnColumns][4];
        load_four<Shape::kOwnColumns, Shape::kRowLanes>(b, stage.b, warp_column(), low_lane(), k);
#pragma unroll
        for (int first = 0; first < Shape::kOwnRows; first += 4) {  // fewer registers than all rows
          constexpr int kLanes = kWarpSize / Shape::kRowLanes;
          load_four<4, kLanes>(a, stage.a, warp_row() + kLanes * first, high_lane(), k);
#pragma unroll
          for (int e = 0; e < 4; ++e)
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
              for (int j = 0; j < Shape::kOwnColumns; ++j)
                (*this)(first + i, j) = fmaf(a[i][e], b[j][e], (*this)(first + i, j));
        }
      }
    } else {
      // Lanes 8m … 8m + 7 name the rows of the m-th 8×8 matrix: of a it goes down first, of b along
      // k.
      const int within = lane_of_thread() % 8, m = lane_of_thread() / 8;
#pragma unroll
      for (int k = 0; k < kDepth; k += 16) {
        uint32_t b[Shape::kOwnColumns / 2][2];
#pragma unroll
        for (int j = 0; j < Shape::kOwnColumns / 2; j += 2) {
          uint32_t two[4];
          load_matrices<B>(two, stage.b, warp_column() + j * 8 + m / 2 * 8, k + m % 2 * 8, within);
          b[j][0] = two[0], b[j][1] = two[1], b[j + 1][0] = two[2], b[j + 1][1] = two[3];
        }
#pragma unroll
        for (int i = 0; i < Shape::kOwnRows / 2; ++i) {
          uint32_t a[4];
          load_matrices<A>(a, stage.a, warp_row() + i * 16 + m % 2 * 8, k + m / 2 * 8, within);
#pragma unroll
          for (int j = 0; j < Shape::kOwnColumns / 2; ++j) mma_bf16(sums_[i][j], a, b[j]);
        }
      }
    }
  }
  template <Lines L, class Stage>
  __device__ static void load_matrices(uint32_t (&to)[4], const Stage& stage, int row, int k,
                                       int within) {
    if constexpr (L == Lines::along_k)
      ldmatrix_x4(to, stage.at(row + within, k));
    else
      ldmatrix_x4_transposed(to, stage.at(row, k + within));
  }

  // bf16: 16×8 fragments; fp32: a row's four columns.
  alignas(16) float sums_[sizeof(T) == 2 ? 4 : 8][sizeof(T) == 2 ? 4 : 1][4];
};

// Calls body(std::bool_constant) with whether all the matrices can be copied 16 bytes at a time.
template <class Body>
void dispatch_packed(bool packed, Body&& body) {
  if (packed)
    body(std::true_type{});
  else
    body(std::false_type{});
}

}  // namespace laclip::cuda

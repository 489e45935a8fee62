#include "kernels/ops/contrastive.h"

#include <algorithm>

#include "kernels/cuda/device/logit_sum.cuh"
#include "kernels/cuda/device/logit_tile.cuh"
#include "kernels/ops/elementwise.h"

namespace laclip::cuda {
namespace {

// ---- forward

// Log-sum-exp of rows and columns over parts of the matrix, each [strips B].
struct Partials {
  LogitSum *rows, *columns;
};

template <class Tile>
struct ContrastivePartial {
  typename Tile::Shared tile;
  // Sums between tiles; in registers they would spill.
  LogitSum of_thread[Tile::kOwnRows][Tile::kThreads];
  LogitSum rows[Tile::kWarpColumns][Tile::kRows];
  LogitSum columns[Tile::kWarpRows][Tile::kColumns];
};

// Block (strip of rows, strip of columns), of row_tiles × column_tiles tiles. A thread keeps the
// sums of its rows over the strip of columns; those of the columns are merged after each tile into
// the block's own line of the partials. Logits, diagonal[B] too, are in units of ln 2. Arithmetic, 2E
// operations per logit, is the limit.
template <class Tile, class T = typename Tile::Element>
__global__ void __launch_bounds__(Tile::kThreads, 2)
    contrastive_partial_kernel(Partials partials, float* diagonal, LogitOperand<T> image,
                               LogitOperand<T> text, const float* logit_scale, int64_t row_tiles,
                               int64_t column_tiles) {
  auto& room = shared<ContrastivePartial<Tile>>();
  const int64_t B = image.rows;
  const float factor = expf(*logit_scale) * kLog2e;
  const int64_t first_row = blockIdx.x * row_tiles * Tile::kRows;
  const int64_t first_column = blockIdx.y * column_tiles * Tile::kColumns;
  const int64_t end_row = min(B, first_row + row_tiles * Tile::kRows);
  const int64_t end_column = min(B, first_column + column_tiles * Tile::kColumns);
  for (int64_t row = first_row; row < end_row; row += Tile::kRows) {
#pragma unroll
    for (int i = 0; i < Tile::kOwnRows; ++i) room.of_thread[i][threadIdx.x] = {};
    for (int64_t column = first_column; column < end_column; column += Tile::kColumns) {
      Tile s(room.tile, image, row, text, column);
      const int rows_left = int(min(B - row, int64_t(Tile::kRows)));
      const int columns_left = int(min(B - column, int64_t(Tile::kColumns)));
      const int match = int(row - column);  // of the diagonal: the column less the row
      s.for_each([&](int, int, float& logit) { logit *= factor; });
      // Few tiles are at an edge, few on the diagonal.
      if (rows_left < Tile::kRows || columns_left < Tile::kColumns)
        s.for_each([&](int a, int b, float& logit) {
          if (a >= rows_left || b >= columns_left) logit = -INFINITY;
        });
      if (-Tile::kRows < match && match < Tile::kColumns)
        s.for_each([&](int a, int b, float& logit) {
          if (b == a + match && a < rows_left) diagonal[row + a] = logit;
        });
#pragma unroll
      for (int i = 0; i < Tile::kOwnRows; ++i) {
        LogitSum& sum = room.of_thread[i][threadIdx.x];
        sum.template add_values<Tile::kOwnColumns>([&](int j) { return s(i, j); });
      }
#pragma unroll
      for (int j = 0; j < Tile::kOwnColumns; ++j) {
        const LogitSum sum = sum_of_lanes<Tile::kRowLanes, kWarpSize, Tile::kOwnRows>(
            [&](int i) { return s(i, j); });
        if (lane_of_thread() < Tile::kRowLanes)
          room.columns[Tile::warp_row()][Tile::column(j)] = sum;
      }
      __syncthreads();  // the columns of all warps are there; a tile begins with a barrier, too
      const int64_t b = column + threadIdx.x;
      if (threadIdx.x < Tile::kColumns && b < B) {
        LogitSum* to = partials.columns + blockIdx.x * B + b;
        LogitSum sum = row > first_row ? *to : LogitSum{};
#pragma unroll
        for (int warp = 0; warp < Tile::kWarpRows; ++warp) sum.add(room.columns[warp][threadIdx.x]);
        *to = sum;
      }
    }
#pragma unroll
    for (int i = 0; i < Tile::kOwnRows; ++i) {
      const LogitSum sum = merge_lanes<1, Tile::kRowLanes>(room.of_thread[i][threadIdx.x]);
      if (lane_of_thread() % Tile::kRowLanes == 0)
        room.rows[Tile::warp_column()][Tile::row(i)] = sum;
    }
    __syncthreads();  // the rows of all warps are there; the next are behind a tile's barrier
    const int64_t a = row + threadIdx.x;
    if (threadIdx.x < Tile::kRows && a < B) {
      LogitSum sum = room.rows[0][threadIdx.x];
#pragma unroll
      for (int warp = 1; warp < Tile::kWarpColumns; ++warp) sum.add(room.rows[warp][threadIdx.x]);
      partials.rows[blockIdx.y * B + a] = sum;
    }
  }
}

// A warp merges both sums of a pair: reads 8 bytes per strip of rows and of columns.
__global__ void contrastive_merge_kernel(float* lse_image, float* lse_text, float* terms,
                                         Partials partials, const float* diagonal, int64_t B,
                                         int64_t row_strips, int64_t column_strips) {
  const int64_t step = grid_stride() / kWarpSize;
  for (int64_t b = grid_index() / kWarpSize; b < B; b += step) {
    const LogitSum by_image = warp_merge(partials.rows + b, column_strips, B);
    const LogitSum by_text = warp_merge(partials.columns + b, row_strips, B);
    if (lane_of_thread() != 0) continue;
    lse_image[b] = by_image.log_above(0);
    lse_text[b] = by_text.log_above(0);
    terms[b] = by_image.log_above(diagonal[b]) + by_text.log_above(diagonal[b]);
  }
}

// 512 blocks are two waves of two blocks on 132 multiprocessors; 384 bytes of partials per row.
constexpr int64_t kRowStrips = 16, kColumnStrips = 32;

// ---- backward

template <class Tile>
struct ContrastiveGradient {
  typename Tile::Shared tile;
  BlockReduce reduce;
  float lse_image[Tile::kRows], lse_text[Tile::kColumns];
};

// The gradient of the cosines, exp(logit_scale) ds, of a block of rows and columns of the matrix
// that begins at (begin_row, begin_column). Block (x, y) (+)= its Σ ds s to dscale. Writes an element
// per logit; arithmetic is the limit.
template <class Tile, Store kStore, class T = typename Tile::Element>
__global__ void __launch_bounds__(Tile::kThreads, 2)
    contrastive_ds_kernel(GemmOutput ds, float* dscale, LogitOperand<T> image, LogitOperand<T> text,
                          const float* logit_scale, const float* lse_image, const float* lse_text,
                          int64_t begin_row, int64_t begin_column, float share) {
  auto& room = shared<ContrastiveGradient<Tile>>();
  const int64_t row = int64_t(blockIdx.x) * Tile::kRows;
  const int64_t column = int64_t(blockIdx.y) * Tile::kColumns;
  if (row >= image.rows || column >= text.rows) return;
  const float scale = expf(*logit_scale);
  // Read behind the barriers of the tile.
  for (int r = int(threadIdx.x); r < Tile::kRows; r += Tile::kThreads)
    room.lse_image[r] = row + r < image.rows ? lse_image[row + r] : 0.0f;
  for (int c = int(threadIdx.x); c < Tile::kColumns; c += Tile::kThreads)
    room.lse_text[c] = column + c < text.rows ? lse_text[column + c] : 0.0f;
  Tile s(room.tile, image, row, text, column);
  const int rows_left = int(min(image.rows - row, int64_t(Tile::kRows)));
  const int columns_left = int(min(text.rows - column, int64_t(Tile::kColumns)));
  const int match = int(begin_row + row - begin_column - column);  // the column less the row
  const bool at_edge = rows_left < Tile::kRows || columns_left < Tile::kColumns;
  const bool on_diagonal = -Tile::kRows < match && match < Tile::kColumns;
  float total = 0;
  if (at_edge)
    s.for_each([&](int a, int b, float& cosine) {  // of no weight, and finite
      if (a >= rows_left || b >= columns_left) cosine = -FLT_MAX;
    });
  if (on_diagonal)
    s.for_each([&](int a, int b, float& cosine) {
      if (b == a + match && a < rows_left) total -= 2.0f * cosine;
    });
  s.for_each([&](int a, int b, float& cosine) {
    const float p = logit_exp(fmaf(scale, cosine, -room.lse_image[a])) +
                    logit_exp(fmaf(scale, cosine, -room.lse_text[b]));
    total += p * cosine;
    cosine = p;
  });
  if (on_diagonal)
    s.for_each([&](int a, int b, float& gradient) {
      if (b == a + match) gradient -= 2.0f;
    });
  s.for_each([&](int, int, float& gradient) { gradient *= share * scale; });
  s.template put<kStore>(ds, row, column);
  total = share * scale * block_sum(room.reduce, total);
  float* to = dscale + blockIdx.y * gridDim.x + blockIdx.x;
  if (threadIdx.x == 0) *to = (begin_row + begin_column > 0 ? *to : 0.0f) + total;
}

// The matrix in blocks, of which each has enough tiles for a GPU; 32 MiB in bf16.
constexpr int64_t kBlock = 4096;

}  // namespace

void contrastive_forward(Stream& stream, Out loss, Out lse_image, Out lse_text, In image, In text,
                         In logit_scale) {
  const int64_t B = image[0];
  dispatch_float(image.dtype, [&]<class T>(TypeTag<T>) {
    const LogitOperand<T> images(image, 0, B), texts(text, 0, B);
    dispatch_tile(images, texts, [&]<class Tile>() {
      const int64_t row_tiles = ceil_div(ceil_div(B, Tile::kRows), kRowStrips);  // of a strip
      const int64_t column_tiles = ceil_div(ceil_div(B, Tile::kColumns), kColumnStrips);
      const int64_t row_strips = ceil_div(B, row_tiles * Tile::kRows);
      const int64_t column_strips = ceil_div(B, column_tiles * Tile::kColumns);
      float* diagonal =
          stream.scratch().reserve<float>(2 * B + 2 * (row_strips + column_strips) * B);
      float* terms = diagonal + B;
      Partials partials{reinterpret_cast<LogitSum*>(terms + B), nullptr};
      partials.columns = partials.rows + column_strips * B;
      launch<contrastive_partial_kernel<Tile>>(stream,
                                               {dim3(unsigned(row_strips), unsigned(column_strips)),
                                                Tile::kThreads, sizeof(ContrastivePartial<Tile>)},
                                               partials, diagonal, images, texts,
                                               logit_scale.as<float>(), row_tiles, column_tiles);
      launch<contrastive_merge_kernel>(stream, grid_of(B * kWarpSize), lse_image.as<float>(),
                                       lse_text.as<float>(), terms, partials, diagonal, B,
                                       row_strips, column_strips);
      logit_total<false>(stream, loss.as<float>(), terms, B, 1.0f / (2.0f * float(B)));
    });
  });
}

void contrastive_backward(Stream& stream, Out dimage, Out dtext, Acc dlogit_scale, In image,
                          In text, In logit_scale, In lse_image, In lse_text) {
  const int64_t B = image[0], E = image[1];
  const float share = 1.0f / (2.0f * float(B));
  fill(stream, dimage, 0.0f);  // blocks add to both
  fill(stream, dtext, 0.0f);
  dispatch_float(image.dtype, [&]<class T>(TypeTag<T>) {
    dispatch_tile(LogitOperand<T>(image, 0, B), LogitOperand<T>(text, 0, B), [&]<class Tile>() {
      const int64_t block = std::min(B, kBlock);
      const Grid grid{dim3(unsigned(ceil_div(block, Tile::kRows)),
                           unsigned(ceil_div(block, Tile::kColumns))),
                      Tile::kThreads, sizeof(ContrastiveGradient<Tile>)};
      const int64_t sums = int64_t(grid.blocks.x) * grid.blocks.y;
      const int64_t ds_bytes = ceil_div(block * block * int64_t(sizeof(T)), 16) * 16;
      std::byte* memory = stream.scratch().reserve_bytes(ds_bytes + 4 * sums);
      T* ds = reinterpret_cast<T*>(memory);
      float* dscale = reinterpret_cast<float*>(memory + ds_bytes);
      for (int64_t row = 0; row < B; row += kBlock) {
        for (int64_t column = 0; column < B; column += kBlock) {
          const LogitOperand<T> images(image, row, kBlock), texts(text, column, kBlock);
          // The whole grid in each block, so that every sum has one place; tiles outside return.
          dispatch_store(ds, texts.rows, [&]<Store kStore>() {
            launch<contrastive_ds_kernel<Tile, kStore>>(
                stream, grid, logits_to(ds, images.rows, texts.rows), dscale, images, texts,
                logit_scale.as<float>(), lse_image.as<float>() + row, lse_text.as<float>() + column,
                row, column, share);
          });
          gemm(stream, adding(Layout::plain, images.rows, E, texts.rows, image.dtype),
               {.c = dimage.as<float>() + row * E, .a = ds, .b = texts.data});
          gemm(stream, adding(Layout::transposed, texts.rows, E, images.rows, image.dtype),
               {.c = dtext.as<float>() + column * E, .a = ds, .b = images.data});
        }
      }
      logit_total<true>(stream, dlogit_scale.as<float>(), dscale, sums, 1.0f);
    });
  });
}

}  // namespace laclip::cuda

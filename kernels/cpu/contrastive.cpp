#include "kernels/ops/contrastive.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/log_sum.h"
#include "kernels/cpu/vector_math.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

// A tile of s: 512 KiB, half of an L2 cache.
constexpr int64_t kScoreRows = 256, kScoreColumns = 512;

struct ScoreTile {
  int64_t row, rows, column, columns;
  float* s;  // [rows columns]
};

// Unit features in fp32: themselves, or a copy in `memory`.
const float* in_f32(In features, float* memory) {
  if (features.dtype == DType::f32) return features.as<float>();
  const bf16* from = features.as<bf16>();
  const int64_t count = features.elements();
  parallel_elements(count, [=](int64_t i) { memory[i] = float(from[i]); });
  return memory;
}
int64_t copied(In features) { return features.dtype == DType::f32 ? 0 : features.elements(); }

// Calls body(tile) for all tiles of s, row blocks outside.
template <class Body>
void for_each_score_tile(Stream& stream, float* tile_memory, const float* image, const float* text,
                         int64_t B, int64_t E, float scale, Body&& body) {
  for (int64_t row = 0; row < B; row += kScoreRows) {
    for (int64_t column = 0; column < B; column += kScoreColumns) {
      const ScoreTile tile{row, std::min(kScoreRows, B - row), column,
                           std::min(kScoreColumns, B - column), tile_memory};
      gemm(stream, {.m = tile.rows, .n = tile.columns, .k = E, .b = Layout::transposed},
           {.c = tile.s, .a = image + row * E, .b = text + column * E});
      const int64_t count = tile.rows * tile.columns;
      parallel_elements(count, [=](int64_t i) { tile.s[i] *= scale; });
      body(tile);
    }
  }
}

}  // namespace

void contrastive_forward(Stream& stream, Out loss, Out lse_image, Out lse_text, In image, In text,
                         In logit_scale) {
  const int64_t B = image[0], E = image[1], copy = copied(image);
  const float scale = std::exp(*logit_scale.as<float>());
  float* memory =
      stream.scratch().reserve<float>(kScoreRows * kScoreColumns + B + 4 * B + 2 * copy);
  float* diagonal = memory + kScoreRows * kScoreColumns;
  auto* row_sums = reinterpret_cast<LogSum*>(diagonal + B);
  LogSum* column_sums = row_sums + B;
  std::fill(row_sums, row_sums + 2 * B, LogSum{});

  auto* copies = reinterpret_cast<float*>(column_sums + B);
  const float *images = in_f32(image, copies), *texts = in_f32(text, copies + copy);
  for_each_score_tile(stream, memory, images, texts, B, E, scale, [&](const ScoreTile& t) {
    parallel_rows(t.rows, t.columns,
                  [&](int64_t a) { row_sums[t.row + a].add(t.s + a * t.columns, t.columns, 1); });
    parallel_rows(t.columns, t.rows,
                  [&](int64_t b) { column_sums[t.column + b].add(t.s + b, t.rows, t.columns); });
    for (int64_t a = 0; a < t.rows; ++a) {
      const int64_t b = t.row + a - t.column;
      if (b >= 0 && b < t.columns) diagonal[t.row + a] = t.s[a * t.columns + b];
    }
  });

  double total = 0;
  for (int64_t b = 0; b < B; ++b) {
    const float by_image = row_sums[b].value(), by_text = column_sums[b].value();
    lse_image.as<float>()[b] = by_image;
    lse_text.as<float>()[b] = by_text;
    total += double(by_image) + double(by_text) - 2.0 * double(diagonal[b]);
  }
  *loss.as<float>() = float(total / (2.0 * double(B)));
}

void contrastive_backward(Stream& stream, Out dimage, Out dtext, Acc dlogit_scale, In image,
                          In text, In logit_scale, In lse_image, In lse_text) {
  const int64_t B = image[0], E = image[1], copy = copied(image);
  const float scale = std::exp(*logit_scale.as<float>());
  const float share = 1.0f / (2.0f * float(B));
  float* memory =
      stream.scratch().reserve<float>(kScoreRows * kScoreColumns + kScoreRows + 2 * copy);
  float* row_totals = memory + kScoreRows * kScoreColumns;
  float* copies = row_totals + kScoreRows;
  const float *images = in_f32(image, copies), *texts = in_f32(text, copies + copy);
  std::fill(dimage.as<float>(), dimage.as<float>() + B * E, 0.0f);
  std::fill(dtext.as<float>(), dtext.as<float>() + B * E, 0.0f);
  const float *by_image = lse_image.as<float>(), *by_text = lse_text.as<float>();
  double dscale = 0;

  for_each_score_tile(stream, memory, images, texts, B, E, scale, [&](const ScoreTile& t) {
    parallel_rows(t.rows, t.columns, [&](int64_t a) {
      // Local variables, without which g++ 12 does not vectorise.
      float* s = t.s + a * t.columns;
      const float *others = by_text + t.column, own = by_image[t.row + a];
      const float of_pair = share, of_cosine = scale;
      const int64_t columns = t.columns, match = t.row + a - t.column;
      float total = 0;
#pragma omp simd reduction(+ : total)
      for (int64_t b = 0; b < columns; ++b) {
        const float p = fast_exp(s[b] - own) + fast_exp(s[b] - others[b]);
        const float ds = of_pair * (b == match ? p - 2.0f : p);
        total += ds * s[b];
        s[b] = ds * of_cosine;  // of the cosine, from here on
      }
      row_totals[a] = total;
    });
    for (int64_t a = 0; a < t.rows; ++a) dscale += double(row_totals[a]);
    float* dimages = dimage.as<float>() + t.row * E;
    gemm(stream, {.m = t.rows, .n = E, .k = t.columns},
         {.c = dimages, .a = t.s, .b = texts + t.column * E, .residual = dimages});
    float* dtexts = dtext.as<float>() + t.column * E;
    gemm(stream, {.m = t.columns, .n = E, .k = t.rows, .a = Layout::transposed},
         {.c = dtexts, .a = t.s, .b = images + t.row * E, .residual = dtexts});
  });
  *dlogit_scale.as<float>() += float(dscale);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

// Sums of a matrix's columns: the bias gradient beside a GEMM whose own epilogue does not take it.
#pragma once

#include "kernels/core/stream.h"

namespace laclip::cuda {

struct MatrixSize {
  int64_t rows, width;
};
// to[c] += Σ_r x[r,c] in fp32; x is f32 or bf16. The order of the sum follows from size and alignment alone.
// `room` is working memory of `bytes`, of which at most 4 max(width, 135168) are used; Error if they are
// not there.
void add_column_sums(Stream& stream, float* to, const void* x, MatrixSize size, DType type,
                     float* room, int64_t bytes);

}  // namespace laclip::cuda

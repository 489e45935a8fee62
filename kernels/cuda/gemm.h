// Matrix product on a GPU, by own kernels or cuBLASLt (gemm_way.h).
//
//   v[M N] = a[M K] b[K N] + bias[N]
//   Epilogue::sum         c = v + skip (+ c, if accumulate)
//   Epilogue::activation  c = act(v)        kept = v
//   Epilogue::slope       c = v act'(u)
//   row_sums[M] = Σ_k a[m,k]           (+ row_sums, if accumulate)
//
// a and b may be stored transposed: Layout::transposed means that the memory holds aᵀ [K M], bᵀ
// [N K]. Types: a, b, bias all f32 or all bf16; c f32 or bf16; skip, kept, u and then c as a;
// row_sums f32. Sums are in fp32.
//
// The own kernels add the terms of an element in the order of k, whatever tile it lies in: without
// splits its bits depend on its row of a and its column of b alone, not on M, N or the plan. A stream
// that is batch_invariant takes them alone.
#pragma once

#include <string>

#include "kernels/core/stream.h"
#include "kernels/cuda/gemm_algorithm.h"
#include "kernels/ops/activation.h"

namespace laclip::cuda {

enum class Layout : bool { plain, transposed };
// What becomes of a sum on its way to c. activation: a plain, b transposed (a map forward); slope:
// both plain (a map's input gradient).
enum class Epilogue : uint8_t { sum, activation, slope };

struct Gemm {
  int64_t m, n, k;
  Layout a = Layout::plain, b = Layout::plain;
  DType type = DType::f32, c_type = DType::f32;
  bool accumulate = false;  // c is f32
  Epilogue epilogue = Epilogue::sum;
  Activation kind = Activation::gelu;
  auto operator<=>(const Gemm&) const = default;
};

// c[M N] += a[M K] b[K N] in f32, as gradients are summed up.
inline Gemm adding(Layout a, int64_t m, int64_t n, int64_t k, DType type) {
  return {m, n, k, a, Layout::plain, type, DType::f32, true};
}

struct GemmOperands {
  void* c;
  const void *a, *b;
  const void *bias = nullptr, *skip = nullptr, *u = nullptr;  // may be null, all but u of a slope
  void* kept = nullptr;                                       // may be null
  float* row_sums = nullptr;  // where a is stored transposed and b is not, as in dw = dyᵀ x
};

// Its working memory is stream.workspace(), so an op can have its own in scratch().
using GemmFunction = void(Stream&, const Gemm&, const GemmOperands&);
GemmFunction gemm;

// How gemm divides the work. A block makes one tile of c; with `splits` > 1 each block takes a part
// of K, and a second kernel adds the parts in order.
enum class GemmTile : uint8_t {
  skinny,  // 16×32, for few rows; bf16, a plain, no row_sums
  small,   // 64×64
  large    // 128×128
};
struct GemmPlan {
  GemmTile tile = GemmTile::small;
  int splits = 1;
};
GemmPlan plan_gemm(const Gemm& shape, const GemmOperands& operands);
void gemm_as(Stream& stream, const Gemm& shape, const GemmOperands& operands, GemmPlan plan);

// By one algorithm; with the library's, an activation is a pass of its own.
void gemm_by(Stream& stream, const Gemm& shape, const GemmOperands& operands,
             const GemmAlgorithm& algorithm);

// Which algorithm made the last GEMM that this thread issued, for reports: "built-in 128x128", "built-in
// 64x64 in 4 parts of K", "cuBLASLt 13.1.0 algorithm 66, tile 23, stages 36", which can end with ", then
// row sums"; "" before the first.
std::string gemm_algorithm();

// How many algorithms the library has offered for it: as a whole, and without its row sums, which
// are then a pass of their own. 0 where it was not asked.
struct GemmOffer {
  int whole = 0, then_sums = 0;
};
GemmOffer gemm_offer();

}  // namespace laclip::cuda

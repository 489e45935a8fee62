// Matrix product on the CPU, by oneDNN, or without it by gemm_own.cpp.
//
//   c[M N] = a[M K] b[K N] (+ bias[N]) (+ c, if accumulate)
//
// a and b may be stored transposed: Layout::transposed means that the memory holds aᵀ [K M], bᵀ
// [N K]. Types: a, b both f32 or both bf16; c f32 or bf16; bias of a's type. Sums are in fp32.
#pragma once

#include "kernels/core/stream.h"

namespace laclip::cpu {

enum class Layout : bool { plain, transposed };

struct Gemm {
  int64_t m, n, k;
  Layout a = Layout::plain, b = Layout::plain;
  DType type = DType::f32, c_type = DType::f32;
  bool bias = false, accumulate = false;
  auto operator<=>(const Gemm&) const = default;
};

void gemm(Stream& stream, const Gemm& shape, void* c, const void* a, const void* b,
          const void* bias = nullptr);

}  // namespace laclip::cpu

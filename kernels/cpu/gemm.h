// GEMM on the CPU: every matrix product of the CPU ops.
//
//   s[m,n] = Σ_k a[m,k] b[k,n] + bias[n] + residual[m,n]
//
//   c = s                                      or, with an activation (activation.h),
//   c = s,  activated = act(c as stored)       c may be null
//   c = act'(slope_of) s
//
// a and b may be stored transposed: Layout::transposed means that the memory holds aᵀ [K M], bᵀ [N K]. a, b and bias
// are all fp32 or all bf16; c, residual, activated and slope_of are of c_type. residual may be c, which then is added
// to. Sums are in fp32, each one chain in the order of k: the bits of a row depend neither on the other rows nor on
// the number of threads.
#pragma once

#include "kernels/core/cpu_level.h"
#include "kernels/core/stream.h"
#include "kernels/ops/activation.h"

namespace laclip::cpu {

enum class Layout : bool { plain, transposed };

struct Gemm {
  int64_t m, n, k;
  Layout a = Layout::plain, b = Layout::plain;
  DType type = DType::f32, c_type = DType::f32;
};

struct GemmOperands {
  void* c = nullptr;
  const void *a = nullptr, *b = nullptr;
  const void *bias = nullptr, *residual = nullptr;
  void* activated = nullptr;
  const void* slope_of = nullptr;
  Activation kind = Activation::gelu;
};

// Works in stream.workspace(). With stream.constant_weights, b is packed at its first use and the copy kept.
using GemmFunction = void(Stream& stream, const Gemm& shape, const GemmOperands& operands);
LACLIP_CPU_OP(GemmFunction, gemm)

}  // namespace laclip::cpu

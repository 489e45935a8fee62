// The instructions that CUDA C++ has no word for: tensor cores, matrix loads, asynchronous copies.
// All PTX is here, with its twins for the host, but for the conversion in core/dtype.h;
// kernels/simt/tensor_core.h says how the fragments of a matrix lie in the registers of a warp.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/core/dtype.h"
#include "kernels/cuda/device/cuda.cuh"

namespace laclip::cuda {

inline constexpr float kLog2e = 1.44269504088896341f, kLn2 = 0.69314718055994531f;

#ifdef __CUDACC__

// d[16 8] += a[16 16] b[16 8] in bf16 with fp32 sums, by a whole warp.
__device__ inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8×8 matrices of 16-bit elements: lane 8i + r gives the address of row r of matrix i (16 bytes,
// in shared memory), and has afterwards two elements of each matrix in the layout of a fragment.
__device__ inline void ldmatrix_x4(uint32_t (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(uint32_t(__cvta_generic_to_shared(row)))
               : "memory");
}
// The same of the transposed matrices.
__device__ inline void ldmatrix_x4_transposed(uint32_t (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(uint32_t(__cvta_generic_to_shared(row)))
               : "memory");
}

// 16 bytes from global to shared memory, of which those beyond `valid` become zero. They are there
// for this thread after cp_async_wait, for others after a barrier behind it.
__device__ inline void cp_async16(void* to, const void* from, int valid = 16) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(uint32_t(__cvta_generic_to_shared(to))), "l"(from), "r"(valid)
               : "memory");
}
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `Left` of the committed groups are under way.
template <int Left>
__device__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
}

// To global memory, 16 bytes at a multiple of 16.
__device__ inline void store_global16(void* to, const uint32_t (&words)[4]) {
  asm volatile("st.global.v4.b32 [%0], {%1,%2,%3,%4};"
               :
               : "l"(__cvta_generic_to_global(to)), "r"(words[0]), "r"(words[1]), "r"(words[2]),
                 "r"(words[3])
               : "memory");
}

// 2^x, of 2 units in the last place.
__device__ inline float exp2_approximately(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

#else

inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                     simt::Place place = simt::Place::current()) {
  simt::mma_m16n8k16(
      d, a, b, [](uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }, place);
}
inline void ldmatrix_x4(uint32_t (&to)[4], const void* row,
                        simt::Place place = simt::Place::current()) {
  simt::load_matrices(to, row, false, place);
}
inline void ldmatrix_x4_transposed(uint32_t (&to)[4], const void* row,
                                   simt::Place place = simt::Place::current()) {
  simt::load_matrices(to, row, true, place);
}
inline void cp_async16(void* to, const void* from, int valid = 16,
                       simt::Place place = simt::Place::current()) {
  simt::check_shared(to, 16, place);
  simt::defer_copy(to, from, 16, size_t(16 - valid));
}
inline void cp_async_commit() { simt::commit_copies(); }
template <int Left>
void cp_async_wait() {
  simt::wait_copies(Left);
}
inline void store_global16(void* to, const uint32_t (&words)[4],
                           simt::Place place = simt::Place::current()) {
  simt::check_global(to, 16, place);
  std::memcpy(to, words, 16);
}
inline float exp2_approximately(float x) { return std::exp2(x); }

#endif

// Two values as the halves of a register, the first in the lower one.
__device__ inline uint32_t pack_bf16(float low, float high) {
#ifdef __CUDACC__
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#else
  return uint32_t(bf16::round_bits(low)) | uint32_t(bf16::round_bits(high)) << 16;
#endif
}

}  // namespace laclip::cuda

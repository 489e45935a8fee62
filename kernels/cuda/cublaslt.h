// Matrix product by cuBLASLt, of which gemm_way.h says when it is taken.
// https://docs.nvidia.com/cuda/cublas/#using-the-cublaslt-api
//
// The library is opened when it is first asked for, so that a program built here runs without it, too.
// Its sums have the same bits in every run on a machine, but those of a row can depend on the number
// of rows.
#pragma once

#include "kernels/cuda/gemm.h"

namespace laclip::cuda {

// How many algorithms it offers for Epilogue::sum of this product, best first by its own judgment; 0
// where there is no library, or no algorithm for these types and alignments.
int cublaslt_algorithms(const Gemm& shape, const GemmOperands& operands);

// What NVIDIA recommends for Hopper, in bytes.
inline constexpr int64_t kCublasltWorkspace = int64_t(32) << 20;

// The product by one of them; row_sums are overwritten, whatever `accumulate` says. Error with the
// status of the library.
void cublaslt_gemm(Stream& stream, const Gemm& shape, const GemmOperands& operands, int algorithm,
                   void* workspace);

int64_t cublaslt_version();   // 0: there is no library
std::string cublaslt_name();  // "cuBLASLt 13.1.0"; "" if there is no library

}  // namespace laclip::cuda

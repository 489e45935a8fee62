// GEMM by cuBLASLt; gemm_way.h decides when it is used.
// https://docs.nvidia.com/cuda/cublas/#using-the-cublaslt-api
//
// The library is opened when it is first asked for (shared_library.h; LACLIP_CUBLASLT names its file).
// Where there is a GPU and no library, a warning says so once.
// Its sums have the same bits in every run on a machine, but those of a row can depend on the number
// of rows.
#pragma once

#include <vector>

#include "kernels/cuda/gemm.h"

namespace laclip::cuda {

// What it offers for Epilogue::sum of this GEMM, best first by its own judgment; nothing where there is
// no library, or no algorithm for these types and alignments.
std::vector<CublasltAlgorithm> cublaslt_algorithms(const Gemm& shape, const GemmOperands& operands);

// `wanted`, which may have been found for another number of rows, if the library makes this GEMM by it;
// else the first that it offers; nothing where it offers none.
std::optional<CublasltAlgorithm> cublaslt_fitting(const Gemm& shape, const GemmOperands& operands,
                                                  const CublasltAlgorithm& wanted);

// What NVIDIA recommends for Hopper, in bytes.
inline constexpr int64_t kCublasltWorkspace = int64_t(32) << 20;

// The GEMM by one of them; row_sums are overwritten, whatever `accumulate` says. Error with the status
// of the library.
void cublaslt_gemm(Stream& stream, const Gemm& shape, const GemmOperands& operands,
                   const CublasltAlgorithm& algorithm, void* workspace);

int64_t cublaslt_version();   // 0: there is no library
std::string cublaslt_name();  // "cuBLASLt 13.1.0"; "" if there is no library
// "algorithm 66, tile 23, stages 36", and ", 4 parts of K": by the numbers of cublasLt.h.
std::string cublaslt_text(const CublasltAlgorithm& algorithm);

}  // namespace laclip::cuda

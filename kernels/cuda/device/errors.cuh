// check_cuda(call): an Error with CUDA's own words and the place of the call.
#pragma once

#include <source_location>

#include "base/check.h"
#include "kernels/cuda/device/cuda.cuh"

namespace laclip::cuda {

inline void check_cuda(cudaError_t error,
                       std::source_location place = std::source_location::current()) {
  check(error == cudaSuccess, "{}:{}: CUDA: {}", place.file_name(), place.line(),
        cudaGetErrorString(error));
}

// A launch that failed; the function that launches has the kernel among its template arguments.
inline void check_launch(cudaError_t error, const char* function, int64_t shared_bytes) {
  check(error == cudaSuccess, "CUDA: {} (a launch with {} bytes of shared memory: {})",
        cudaGetErrorString(error), shared_bytes, function);
}

}  // namespace laclip::cuda

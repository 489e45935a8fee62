// check_cuda(call): an Error with CUDA's own words and the place of the call.
//
// CUDA keeps the last error of a thread until somebody asks for it, and a launch is known to have failed by
// that error alone. So whoever is told of an error, or ignores it, clears it: else the next, innocent
// launch reports it again.
#pragma once

#include <source_location>

#include "base/check.h"
#include "kernels/cuda/device/cuda.cuh"

namespace laclip::cuda {

// For what has no way to report, such as destructors.
inline void ignore_cuda(cudaError_t error) {
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
}

inline void check_cuda(cudaError_t error,
                       std::source_location place = std::source_location::current()) {
  ignore_cuda(error);
  check(error == cudaSuccess, "{}:{}: CUDA: {}", place.file_name(), place.line(),
        cudaGetErrorString(error));
}

// A launch that failed (error: what cudaGetLastError has given); the function that launches has the
// kernel among its template arguments.
inline void check_launch(cudaError_t error, const char* function, int64_t shared_bytes) {
  check(error == cudaSuccess, "CUDA: {} (a launch with {} bytes of shared memory: {})",
        cudaGetErrorString(error), shared_bytes, function);
}

}  // namespace laclip::cuda

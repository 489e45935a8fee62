// launch<kernel>(stream, {grid, block, shared_bytes}, arguments...) and what a kernel has of it.
#pragma once

#include <atomic>
#include <type_traits>

#include "kernels/core/stream.h"
#include "kernels/cuda/device/cuda.cuh"
#include "kernels/cuda/device/errors.cuh"

namespace laclip::cuda {

struct Grid {
  dim3 blocks, threads;
  int64_t shared_bytes = 0;
};

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// One thread for each of `count` items. A kernel's loop over a grid that is capped has its stride
// in grid_stride().
inline Grid grid_of(int64_t count, int threads = 256) {
  const int64_t blocks = ceil_div(count, threads);
  return {dim3(unsigned(blocks < 1       ? 1
                        : blocks > 65535 ? 65535
                                         : blocks)),
          dim3(unsigned(threads))};
}
__device__ inline int64_t grid_index() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t grid_stride() { return int64_t(gridDim.x) * blockDim.x; }

namespace detail {
template <auto Kernel, class... P>
void launch_as(void (*kernel)(P...), Stream& stream, Grid grid,
               std::type_identity_t<P>... arguments) {
#ifdef __CUDACC__
  static std::atomic<int64_t> granted = 48 << 10;  // more shared memory must be asked for, once
  if (grid.shared_bytes > granted) {
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             int(grid.shared_bytes));
    ignore_cuda(error);
    check_launch(error, __PRETTY_FUNCTION__, grid.shared_bytes);
    granted = grid.shared_bytes;
  }
  kernel<<<grid.blocks, grid.threads, size_t(grid.shared_bytes),
           static_cast<cudaStream_t>(stream.handle())>>>(arguments...);
#else
  simt::give(static_cast<cudaStream_t>(stream.handle()), [=] {
    simt::launch<Kernel>(kernel, grid.blocks, grid.threads, size_t(grid.shared_bytes),
                         arguments...);
  });
#endif
  check_launch(cudaGetLastError(), __PRETTY_FUNCTION__, grid.shared_bytes);
}
}  // namespace detail

// The kernel is a template argument, so that the host execution knows its name.
template <auto Kernel, class... Arguments>
void launch(Stream& stream, Grid grid, Arguments... arguments) {
  detail::launch_as<Kernel>(Kernel, stream, grid, arguments...);
}

// What a block may have on every architecture from 80 on (89 and 120 have least).
inline constexpr int64_t kMostSharedBytes = 99 << 10;

// The block's shared memory as one struct, asked for with shared_bytes = sizeof(Shared) at launch, or as
// bytes whose number is known at the launch only.
#ifdef __CUDACC__
__device__ inline void* shared_bytes(int64_t) {
  extern __shared__ __align__(128) unsigned char laclip_shared_memory[];
  return laclip_shared_memory;
}
template <class Shared>
__device__ Shared& shared() {
  static_assert(sizeof(Shared) <= kMostSharedBytes);
  return *static_cast<Shared*>(shared_bytes(sizeof(Shared)));
}
#else
inline void* shared_bytes(int64_t bytes, simt::Place place = simt::Place::current()) {
  return simt::shared_memory(size_t(bytes), place);
}
template <class Shared>
Shared& shared(simt::Place place = simt::Place::current()) {
  static_assert(sizeof(Shared) <= kMostSharedBytes);
  return *static_cast<Shared*>(shared_bytes(sizeof(Shared), place));
}
#endif

// Notes the first fault of a stream (kernels/core/stream.h).
__device__ inline void report(FaultSink fault, KernelFault::Code code, int64_t row,
                              int64_t value = 0, int64_t limit = 0) {
  if (atomicCAS(&fault.at->code, int32_t(KernelFault::none), int32_t(code)) != KernelFault::none)
    return;
  fault.at->row = int32_t(row);
  fault.at->value = int32_t(value);
  fault.at->limit = int32_t(limit);
  fault.at->contract = fault.contract;
}

}  // namespace laclip::cuda

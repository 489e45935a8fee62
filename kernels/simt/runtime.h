// CUDA's runtime functions on the host, as far as they are used here. Streams run at once, but for copies:
// one to the host is delivered when the host waits for its stream; one from pinned memory arrives when
// its stream, or one that waits for an event of it, goes on with something. Until then its place holds
// 0xcd, and of pinned memory it takes what is there at that time.
#pragma once

#include <cstddef>
#include <functional>

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
using cudaStream_t = struct laclip_simt_stream*;
using cudaEvent_t = struct laclip_simt_event*;
using cudaGraph_t = struct laclip_simt_graph*;
using cudaGraphExec_t = struct laclip_simt_graph*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };

const char* cudaGetErrorString(cudaError_t error);
// The last error of the calling thread: of any function here, and of launches, which report in no other
// way. It stays until cudaGetLastError gives it; what succeeds leaves it alone.
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaDriverGetVersion(int* version);  // 13000 is CUDA 13.0; 0: no driver
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocHost(void** memory, size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);

// Kernels, fills and copies on the device are recorded; what a graph cannot hold is refused and makes
// the capture invalid: its stream takes nothing more, and the end gives an error and no graph.
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* instance, cudaGraph_t graph, unsigned long long);
cudaError_t cudaGraphLaunch(cudaGraphExec_t instance, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t instance);

namespace laclip::simt {
// Does `work`, or records it. What is under way to the device arrives before.
cudaError_t give(cudaStream_t stream, std::function<void()> work);
// From now on there is no memory for as many bytes or more; 0: there is again.
void fail_allocations_of(size_t bytes);
// From now on the driver supports this version of CUDA; the runtime is 13.0's.
void set_driver(int version);
}  // namespace laclip::simt

#include <cstring>

#include "base/progress.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/cuda/device/errors.cuh"

namespace laclip {
using cuda::check_cuda, cuda::ignore_cuda;

std::byte* cuda_allocate(std::string_view purpose, int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, size_t(bytes));
  if (error != cudaSuccess) {
    ignore_cuda(error);
    if (error == cudaErrorStreamCaptureUnsupported || error == cudaErrorStreamCaptureInvalidated)
      fail(
          "{}: {} were asked for while a graph is recorded, which can allocate nothing; run the "
          "same work once before",
          purpose, format_bytes(double(bytes)));
    fail("{}: no memory on the device for {} ({} are free); use a smaller batch or model", purpose,
         format_bytes(double(bytes)), format_bytes(double(cuda_memory().free)));
  }
  check_cuda(cudaMemsetAsync(memory, 0, size_t(bytes), nullptr));
  check_cuda(cudaStreamSynchronize(nullptr));
  return static_cast<std::byte*>(memory);
}

void cuda_free(std::byte* memory) { ignore_cuda(cudaFree(memory)); }

std::byte* cuda_allocate_pinned(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMallocHost(&memory, size_t(bytes));
  if (error != cudaSuccess) {
    ignore_cuda(error);
    fail("no pinned host memory for {}; raise the limit of locked memory (ulimit -l)",
         format_bytes(double(bytes)));
  }
  return static_cast<std::byte*>(memory);
}

void cuda_free_pinned(std::byte* memory) { ignore_cuda(cudaFreeHost(memory)); }

CudaMemory cuda_memory() {
  size_t free = 0, total = 0;
  check_cuda(cudaMemGetInfo(&free, &total));
  return {int64_t(free), int64_t(total)};
}

int cuda_devices() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  ignore_cuda(error);
  return error == cudaSuccess ? count : 0;
}

std::string cuda_absence() {
  int count = 0, supported = 0, needed = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  ignore_cuda(error);
  ignore_cuda(cudaDriverGetVersion(&supported));  // 0 without a driver
  ignore_cuda(cudaRuntimeGetVersion(&needed));
  const auto text = [](int version) {
    return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
  };
  if (error == cudaErrorInsufficientDriver && supported > 0)
    return fmt::format("the driver supports CUDA {}, this program needs {}", text(supported),
                       text(needed));
  if (error == cudaErrorInsufficientDriver) return "there is no driver of a GPU";
  if (error == cudaSuccess || error == cudaErrorNoDevice) return "there is no GPU";
  return fmt::format("CUDA: {}", cudaGetErrorString(error));
}

std::string cuda_device_name() {
#ifdef __CUDACC__
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, 0));
  return properties.name;
#else
  return "host";
#endif
}

std::string cuda_capability() {
#ifdef __CUDACC__
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, 0));
  return fmt::format("{}.{}", properties.major, properties.minor);
#else
  return "";
#endif
}

std::string cuda_pci_bus() {
#ifdef __CUDACC__
  char bus[32] = "";
  check_cuda(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
  return bus;
#else
  return "";
#endif
}

bool cuda_is_a_gpu() {
#ifdef __CUDACC__
  return cuda_devices() > 0;
#else
  return false;
#endif
}

void* cuda_create_stream() {
  cudaStream_t stream;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}

void cuda_destroy_stream(void* stream) {
  ignore_cuda(cudaStreamDestroy(static_cast<cudaStream_t>(stream)));
}

void cuda_synchronize(void* stream) {
  check_cuda(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
}

void cuda_settle(void* stream) noexcept {
  ignore_cuda(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
}

void cuda_forget_error() noexcept { static_cast<void>(cudaGetLastError()); }

void cuda_synchronize_device() { check_cuda(cudaDeviceSynchronize()); }

void cuda_order(void* first, void* then) {
  cudaEvent_t event;
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  check_cuda(cudaEventRecord(event, static_cast<cudaStream_t>(first)));
  check_cuda(cudaStreamWaitEvent(static_cast<cudaStream_t>(then), event, 0));
  check_cuda(cudaEventDestroy(event));  // its memory stays until it has happened
}

void cuda_read(void* to, const void* from, int64_t bytes) {
  cuda_synchronize_device();
  cuda_copy_to_host(nullptr, to, from, bytes);
  cuda_synchronize(nullptr);
}

void cuda_write(void* to, const void* from, int64_t bytes) {
  cuda_synchronize_device();
  cuda_copy_to_device(nullptr, to, from, bytes);
  cuda_synchronize(nullptr);
}

void cuda_copy_to_device(void* stream, void* to, const void* from, int64_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyHostToDevice,
                             static_cast<cudaStream_t>(stream)));
}

void cuda_copy_to_host(void* stream, void* to, const void* from, int64_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToHost,
                             static_cast<cudaStream_t>(stream)));
}

void cuda_copy_on_device(void* stream, void* to, const void* from, int64_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToDevice,
                             static_cast<cudaStream_t>(stream)));
}

void cuda_begin_recording(void* stream) {
  check_cuda(
      cudaStreamBeginCapture(static_cast<cudaStream_t>(stream), cudaStreamCaptureModeThreadLocal));
}

void* cuda_end_recording(void* stream) {
  cudaGraph_t graph = nullptr;
  check_cuda(cudaStreamEndCapture(static_cast<cudaStream_t>(stream), &graph));
  check(graph != nullptr, "what was recorded is not possible in a graph");
  cudaGraphExec_t instance = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&instance, graph, 0);
  ignore_cuda(cudaGraphDestroy(graph));
  check_cuda(error);
  return instance;
}

void cuda_drop_recording(void* stream) noexcept {
  cudaGraph_t graph = nullptr;
  ignore_cuda(cudaStreamEndCapture(static_cast<cudaStream_t>(stream), &graph));
  if (graph) ignore_cuda(cudaGraphDestroy(graph));
}

void cuda_launch_graph(void* graph, void* stream) {
  check_cuda(
      cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), static_cast<cudaStream_t>(stream)));
}

void cuda_destroy_graph(void* graph) {
  if (graph) ignore_cuda(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)));
}

}  // namespace laclip

#include "kernels/simt/runtime.h"

#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/simt/device_memory.h"

using laclip::simt::DeviceMemory;

namespace {
struct Delivery {
  void* to;
  std::vector<std::byte> bytes;
};
}  // namespace

struct laclip_simt_stream {
  std::vector<Delivery> deliveries;
  void deliver() {
    for (const Delivery& d : deliveries) std::memcpy(d.to, d.bytes.data(), d.bytes.size());
    deliveries.clear();
  }
};

struct laclip_simt_event {
  cudaStream_t stream = nullptr;
};

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess                 ? "no error"
         : error == cudaErrorMemoryAllocation ? "out of memory"
                                              : "invalid argument";
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = DeviceMemory::instance().allocate(bytes);
  return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void* memory) {
  DeviceMemory::instance().free(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  *memory = std::malloc(bytes);
  return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = size_t(1) << 38;
  *free = *total - DeviceMemory::instance().used();
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new laclip_simt_stream;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream) stream->deliver();
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }  // streams run at once

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  // A side that is not where the kind says would fail on a device, too.
  const DeviceMemory& memory = DeviceMemory::instance();
  const bool to_device = kind != cudaMemcpyDeviceToHost;
  const bool from_device = kind != cudaMemcpyHostToDevice;
  if (bytes == 0) return cudaSuccess;
  if (memory.holds(to) != to_device || memory.holds(from) != from_device)
    return cudaErrorInvalidValue;
  const DeviceMemory::Access access;
  if (kind == cudaMemcpyDeviceToHost && stream) {
    const auto* begin = static_cast<const std::byte*>(from);
    stream->deliveries.push_back({to, {begin, begin + bytes}});
    std::memset(to, 0xcd, bytes);
  } else {
    std::memmove(to, from, bytes);
  }
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) {
  if (bytes == 0) return cudaSuccess;
  if (!DeviceMemory::instance().holds(to)) return cudaErrorInvalidValue;
  const DeviceMemory::Access access;
  std::memset(to, value, bytes);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new laclip_simt_event;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) { return cudaStreamSynchronize(event->stream); }

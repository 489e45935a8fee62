#include "kernels/simt/runtime.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "kernels/simt/device_memory.h"

using laclip::simt::DeviceMemory;

namespace {
struct Pinned {
  std::mutex mutex;
  std::map<const std::byte*, size_t> blocks;
  bool holds(const void* address) {
    const std::lock_guard lock(mutex);
    const auto* at = static_cast<const std::byte*>(address);
    auto after = blocks.upper_bound(at);
    if (after == blocks.begin()) return false;
    const auto& [begin, bytes] = *--after;
    return at < begin + bytes;
  }
} pinned;
}  // namespace

struct laclip_simt_graph {
  std::vector<std::function<void()>> work;
  bool valid = true;
};

struct laclip_simt_stream {
  struct Delivery {  // to the host
    void* to;
    std::vector<std::byte> bytes;
  };
  struct Arrival {  // on the device, from pinned memory
    void* to;
    const void* from;
    size_t bytes;
  };
  laclip_simt_graph* recording = nullptr;
  std::vector<Delivery> deliveries;
  std::deque<Arrival> arrivals;
  size_t given = 0;  // arrivals, ever
  void deliver() {
    for (const Delivery& d : deliveries) std::memcpy(d.to, d.bytes.data(), d.bytes.size());
    deliveries.clear();
  }
  void arrive() { arrive(given); }
  void arrive(size_t count) {  // the first `count` that were given
    if (arrivals.empty()) return;
    const DeviceMemory::Access access;
    for (; given - arrivals.size() < count; arrivals.pop_front())
      std::memcpy(arrivals.front().to, arrivals.front().from, arrivals.front().bytes);
  }
};

struct laclip_simt_event {
  cudaStream_t stream = nullptr;
  size_t given = 0;  // to the stream before it
};

namespace {
struct Streams {
  std::mutex mutex;
  std::set<cudaStream_t> all;
} streams;
}  // namespace

namespace {
size_t too_much = size_t(-1);
constexpr int kRuntimeVersion = 13000;
int driver_version = kRuntimeVersion;

thread_local cudaError_t last_error = cudaSuccess;
cudaError_t failed(cudaError_t error) { return last_error = error; }

thread_local std::vector<laclip_simt_graph*> recordings;  // of this thread
// What no capture of this thread permits. Each of them is invalid from then on.
cudaError_t unsupported() {
  for (laclip_simt_graph* graph : recordings) graph->valid = false;
  return failed(cudaErrorStreamCaptureUnsupported);
}

bool recording(cudaStream_t stream) { return stream && stream->recording; }
void arrive(cudaStream_t stream) {
  if (stream) stream->arrive();
}
}  // namespace

cudaError_t laclip::simt::give(cudaStream_t stream, std::function<void()> work) {
  if (recording(stream)) {
    if (!stream->recording->valid) return failed(cudaErrorStreamCaptureInvalidated);
    stream->recording->work.push_back(std::move(work));
    return cudaSuccess;
  }
  arrive(stream);
  work();
  return cudaSuccess;
}

void laclip::simt::fail_allocations_of(size_t bytes) { too_much = bytes > 0 ? bytes : size_t(-1); }
void laclip::simt::set_driver(int version) { driver_version = version; }

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error"
         : error == cudaErrorStreamCaptureUnsupported
             ? "operation not permitted when stream is capturing"
         : error == cudaErrorStreamCaptureInvalidated
             ? "operation failed due to a previous error during capture"
         : error == cudaErrorMemoryAllocation ? "out of memory"
         : error == cudaErrorInsufficientDriver
             ? "CUDA driver version is insufficient for CUDA runtime version"
             : "invalid argument";
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = driver_version < kRuntimeVersion ? 0 : 1;
  return *count == 0 ? failed(cudaErrorInsufficientDriver) : cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = driver_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kRuntimeVersion;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  if (!recordings.empty()) return unsupported();
  *memory = bytes < too_much ? DeviceMemory::instance().allocate(bytes) : nullptr;
  return *memory ? cudaSuccess : failed(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* memory) {
  if (!recordings.empty()) return unsupported();
  cudaDeviceSynchronize();  // as CUDA does: nothing is on its way there any more
  DeviceMemory::instance().free(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  *memory = std::malloc(bytes);
  if (!*memory) return failed(cudaErrorMemoryAllocation);
  const std::lock_guard lock(pinned.mutex);
  pinned.blocks[static_cast<const std::byte*>(*memory)] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
  const std::lock_guard lock(pinned.mutex);
  pinned.blocks.erase(static_cast<const std::byte*>(memory));
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
  const std::lock_guard lock(streams.mutex);
  streams.all.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(streams.mutex);
  streams.all.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (recording(stream)) return unsupported();
  if (stream) {
    stream->arrive();
    stream->deliver();
  }
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  if (!recordings.empty()) return unsupported();
  const std::lock_guard lock(streams.mutex);
  for (cudaStream_t stream : streams.all) {
    stream->arrive();
    stream->deliver();
  }
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  // A side that is not where the kind says would fail on a device, too.
  const DeviceMemory& memory = DeviceMemory::instance();
  const bool to_device = kind != cudaMemcpyDeviceToHost;
  const bool from_device = kind != cudaMemcpyHostToDevice;
  if (bytes == 0) return cudaSuccess;
  if (memory.holds(to) != to_device || memory.holds(from) != from_device)
    return failed(cudaErrorInvalidValue);
  if (recording(stream)) {
    if (kind != cudaMemcpyDeviceToDevice) return unsupported();
    return laclip::simt::give(stream, [=] {
      const DeviceMemory::Access access;
      std::memmove(to, from, bytes);
    });
  }
  const DeviceMemory::Access access;
  if (kind == cudaMemcpyHostToDevice && stream && pinned.holds(from)) {
    stream->arrivals.push_back({to, from, bytes});
    ++stream->given;
    std::memset(to, 0xcd, bytes);
    return cudaSuccess;
  }
  arrive(stream);
  if (kind == cudaMemcpyDeviceToHost && stream) {
    const auto* begin = static_cast<const std::byte*>(from);
    stream->deliveries.push_back({to, {begin, begin + bytes}});
    std::memset(to, 0xcd, bytes);
  } else {
    std::memmove(to, from, bytes);
  }
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!DeviceMemory::instance().holds(to)) return failed(cudaErrorInvalidValue);
  return laclip::simt::give(stream, [=] {
    const DeviceMemory::Access access;
    std::memset(to, value, bytes);
  });
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
  event->given = stream ? stream->given : 0;
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t event, unsigned) {
  if (event->stream) event->stream->arrive(event->given);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!stream || stream->recording) return failed(cudaErrorInvalidValue);
  recordings.push_back(stream->recording = new laclip_simt_graph);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!recording(stream)) return failed(cudaErrorInvalidValue);
  std::unique_ptr<laclip_simt_graph> ended(std::exchange(stream->recording, nullptr));
  std::erase(recordings, ended.get());
  if (!ended->valid) return failed(cudaErrorStreamCaptureInvalidated);
  *graph = ended.release();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* instance, cudaGraph_t graph, unsigned long long) {
  *instance = new laclip_simt_graph(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t instance, cudaStream_t stream) {
  arrive(stream);
  for (const auto& work : instance->work) work();
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t instance) {
  delete instance;
  return cudaSuccess;
}

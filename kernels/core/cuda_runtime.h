// Memory and order on the CUDA device; kernels/cuda/runtime.cu. A stream handle is a cudaStream_t.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace laclip {

// Zeroed device memory. Error "activations: no memory on the device for 40.0 GiB (12.3 GiB are free)".
std::byte* cuda_allocate(std::string_view purpose, int64_t bytes);
void cuda_free(std::byte* memory);
std::byte* cuda_allocate_pinned(int64_t bytes);  // host memory; Error if there is none
void cuda_free_pinned(std::byte* memory);
struct CudaMemory {
  int64_t free = 0, total = 0;  // bytes
};
CudaMemory cuda_memory();

int cuda_devices();  // 0: there is none
std::string
cuda_absence();  // why: "there is no GPU", "the driver supports CUDA 12.4, this program needs 13.0"
std::string cuda_device_name();
std::string cuda_capability();  // of computing: "9.0"; "" on the host
std::string cuda_pci_bus();     // "0000:3B:00.0", by which nvidia-smi knows it; "" on the host
bool cuda_is_a_gpu();  // false where this build runs the kernels on the host (kernels/simt)
void* cuda_create_stream();
void cuda_destroy_stream(void* stream);
void cuda_synchronize(void* stream);  // Error with what a kernel did wrong

void cuda_settle(void* stream) noexcept;  // the same in destructors, whatever has gone wrong

// Clears this thread's last CUDA error after a library's failure was caught; the next launch would
// report it.
void cuda_forget_error() noexcept;

void cuda_synchronize_device();  // all streams
// Work enqueued on `then` after this call waits for all work enqueued on `first` before it.
void cuda_order(void* first, void* then);

// Copies beside all streams: after what they were given, and done on return.
void cuda_read(void* to, const void* from, int64_t bytes);
void cuda_write(void* to, const void* from, int64_t bytes);

// Copies in the order of the stream. `from` must stay until the copy is done, in host memory too; from
// pageable memory the call waits for the stream before. In host memory, `to` is there after
// cuda_synchronize(); a copy to pageable memory waits for the stream as well, so it comes last.
void cuda_copy_to_device(void* stream, void* to, const void* from, int64_t bytes);
void cuda_copy_to_host(void* stream, void* to, const void* from, int64_t bytes);
void cuda_copy_on_device(void* stream, void* to, const void* from, int64_t bytes);

// Work enqueued between begin and end is captured, not executed; end returns an executable graph,
// or throws.
void cuda_begin_recording(void* stream);
void* cuda_end_recording(void* stream);
void cuda_launch_graph(void* graph, void* stream);
void cuda_drop_recording(void* stream) noexcept;  // instead of end, after an error
void cuda_destroy_graph(void* graph);             // null: nothing

}  // namespace laclip

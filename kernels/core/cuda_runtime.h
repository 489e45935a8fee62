// Memory and order on the CUDA device; kernels/cuda/runtime.cu. A stream handle is a cudaStream_t.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace laclip {

// Zeroed device memory. Error "activations: no memory on the device for 40.0 GiB (12.3 GiB are free)".
std::byte* cuda_allocate(std::string_view purpose, int64_t bytes);
void cuda_free(std::byte* memory);
struct CudaMemory {
  int64_t free = 0, total = 0;  // bytes
};
CudaMemory cuda_memory();

int cuda_devices();    // 0: there is none
bool cuda_is_a_gpu();  // false where this build runs the kernels on the host (kernels/simt)
void* cuda_create_stream();
void cuda_destroy_stream(void* stream);
void cuda_synchronize(void* stream);  // Error with what a kernel did wrong

// Copies in the order of the stream. From host memory, `from` may be reused when the call returns;
// in host memory, `to` is there after cuda_synchronize().
void cuda_copy_to_device(void* stream, void* to, const void* from, int64_t bytes);
void cuda_copy_to_host(void* stream, void* to, const void* from, int64_t bytes);
void cuda_copy_on_device(void* stream, void* to, const void* from, int64_t bytes);

}  // namespace laclip

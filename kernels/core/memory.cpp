#include "kernels/core/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/progress.h"
#include "kernels/core/cuda_runtime.h"

namespace laclip {
namespace {
int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
bool mapped(int64_t bytes) { return bytes >= (1 << 20); }
}  // namespace

Buffer::Buffer(std::string purpose, int64_t bytes, Device device)
    : purpose_(std::move(purpose)), bytes_(bytes), device_(device) {
  if (device == Device::cuda) {
    data_ = cuda_allocate(purpose_, std::max<int64_t>(aligned(bytes), kAlignment));
    return;
  }
  const auto size = size_t(std::max<int64_t>(aligned(bytes), kAlignment));
  if (mapped(bytes)) {
    // Fresh pages are zero and cost nothing until they are touched.
    void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    data_ = pages == MAP_FAILED ? nullptr : static_cast<std::byte*>(pages);
    if (data_) ::madvise(pages, size, MADV_HUGEPAGE);
  } else {
    data_ = static_cast<std::byte*>(std::aligned_alloc(size_t(kAlignment), size));
    if (data_) std::memset(data_, 0, size);
  }
  check(data_ != nullptr, "{}: no memory for {}; use a smaller batch or model", purpose_,
        format_bytes(double(bytes)));
}

Buffer::~Buffer() {
  if (!data_) return;
  if (device_ == Device::cuda)
    cuda_free(data_);
  else if (mapped(bytes_))
    ::munmap(data_, size_t(aligned(bytes_)));
  else
    std::free(data_);
}

Buffer::Buffer(Buffer&& other) noexcept
    : purpose_(std::move(other.purpose_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      device_(other.device_) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(purpose_, other.purpose_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(device_, other.device_);
  return *this;
}

Tensor Buffer::tensor(Shape shape, DType dtype, int64_t byte_offset) const {
  check(byte_offset + shape.elements() * size_of(dtype) <= bytes_,
        "{}: a tensor {} of {} at byte {} reaches over its end at {}", purpose_, shape.text(),
        name_of(dtype), byte_offset, bytes_);
  return {data_ + byte_offset, shape, dtype, device_};
}

Arena::Arena(std::string purpose, int64_t capacity, Device device)
    : buffer_(std::move(purpose), capacity, device), device_(device) {}

Tensor Arena::tensor(Shape shape, DType dtype) {
  const int64_t offset = used_;
  const int64_t bytes = aligned(std::max<int64_t>(shape.elements() * size_of(dtype), 1));
  used_ += bytes;
  high_water_ = std::max(high_water_, used_);
  if (measuring()) {
    // A non-canonical address: touching it faults at once.
    return {reinterpret_cast<void*>((uint64_t(1) << 62) + uint64_t(offset)), shape, dtype, device_};
  }
  check(used_ <= buffer_.bytes(), "{}: {} needed where {} were planned", buffer_.purpose(), used_,
        buffer_.bytes());
  return {buffer_.data() + offset, shape, dtype, device_};
}

std::byte* Scratch::reserve_bytes(int64_t bytes) {
  if (bytes > buffer_.bytes()) buffer_ = Buffer("scratch", bytes + bytes / 4, device_);
  return buffer_.data();
}

}  // namespace laclip

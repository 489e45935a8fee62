#include "kernels/core/staging.h"

#include <cstring>
#include <mutex>
#include <vector>

#include "kernels/core/cuda_runtime.h"
#include "kernels/core/stream.h"

namespace laclip {

namespace {
// Blocks of streams that are gone go to the next stream that needs some: CUDA takes longer to make one than
// to run a small kernel. Never destroyed, because CUDA may be gone first.
struct BlockPool {
  std::mutex mutex;
  std::vector<std::byte*> blocks;  // of Staging::kMost
};
BlockPool& block_pool() {
  static auto* pool = new BlockPool;
  return *pool;
}

std::byte* take_pinned(int64_t bytes) {
  BlockPool& pool = block_pool();
  if (const std::lock_guard lock(pool.mutex); bytes == Staging::kMost && !pool.blocks.empty()) {
    std::byte* block = pool.blocks.back();
    pool.blocks.pop_back();
    return block;
  }
  return cuda_allocate_pinned(bytes);
}
}  // namespace

PinnedBuffer::PinnedBuffer(int64_t bytes) : data_(take_pinned(bytes)), bytes_(bytes) {}
PinnedBuffer::~PinnedBuffer() {
  if (bytes_ != Staging::kMost) {
    cuda_free_pinned(data_);
    return;
  }
  BlockPool& pool = block_pool();
  const std::lock_guard lock(pool.mutex);
  pool.blocks.push_back(data_);
}

std::byte* Staging::take(int64_t bytes) {
  check(bytes <= kMost, "staging: a piece of {} bytes where {} are possible", bytes, kMost);
  if (used_ + bytes > kMost) ++block_, used_ = 0;
  if (block_ == blocks_.size()) blocks_.emplace_back(kMost);
  std::byte* piece = blocks_[block_].data() + used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return piece;
}

Upload::Upload(const std::string& purpose, int64_t bytes, Device device) : purpose_(purpose) {
  if (device == Device::cpu) return;
  for (auto& place : places_) place.emplace(purpose, bytes);
  stream_ = cuda_create_stream();
}

Upload::~Upload() {
  if (!stream_) return;
  cuda_settle(stream_);  // memory outlives the copies
  cuda_destroy_stream(stream_);
}

Tensor Upload::begin(const Tensor& host) {
  if (!stream_ || host.device == Device::cuda) return host;
  const Tensor there =
      begin(host.bytes(), [&](std::byte* to) { std::memcpy(to, host.data, size_t(host.bytes())); });
  return {there.data, host.shape, host.dtype, Device::cuda};
}

Tensor Upload::begin(int64_t bytes, const std::function<void(std::byte*)>& fill) {
  check(stream_, "{}: there is no device to bring them to", purpose_);
  auto& place = places_[next_];
  next_ = 1 - next_;
  if (!place || place->host.bytes() < bytes) {
    place.reset();
    place.emplace(purpose_, bytes + bytes / 4);
  }
  fill(place->host.data());
  const Tensor there = place->device.tensor({bytes}, DType::u8);
  cuda_copy_to_device(stream_, there.data, place->host.data(), bytes);
  return there;
}

void Upload::arrive(Stream& stream) {
  if (stream_) cuda_order(stream_, stream.handle());
}

}  // namespace laclip

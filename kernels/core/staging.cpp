#include "kernels/core/staging.h"

#include <cstring>
#include <mutex>

#include "kernels/core/cuda_runtime.h"
#include "kernels/core/stream.h"

namespace laclip {

PinnedBuffer::PinnedBuffer(int64_t bytes) : data_(cuda_allocate_pinned(bytes)), bytes_(bytes) {}
PinnedBuffer::~PinnedBuffer() { cuda_free_pinned(data_); }

namespace {
// Blocks of streams that are gone. CUDA takes longer to make one than to run a small kernel, and the pool
// is never destroyed, because CUDA may be gone first.
struct BlockPool {
  std::mutex mutex;
  std::vector<std::unique_ptr<PinnedBuffer>> blocks;

  std::unique_ptr<PinnedBuffer> take() {
    const std::lock_guard lock(mutex);
    if (blocks.empty()) return std::make_unique<PinnedBuffer>(Staging::kMost);
    auto block = std::move(blocks.back());
    blocks.pop_back();
    return block;
  }
};
BlockPool& block_pool() {
  static auto* pool = new BlockPool;
  return *pool;
}
}  // namespace

Staging::~Staging() {
  BlockPool& pool = block_pool();
  const std::lock_guard lock(pool.mutex);
  for (auto& block : blocks_) pool.blocks.push_back(std::move(block));
}

std::byte* Staging::take(int64_t bytes) {
  check(bytes <= kMost, "staging: a piece of {} bytes where {} are possible", bytes, kMost);
  if (used_ + bytes > kMost) ++block_, used_ = 0;
  if (block_ == blocks_.size()) blocks_.push_back(block_pool().take());
  std::byte* piece = blocks_[block_]->data() + used_;
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

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

}  // namespace laclip

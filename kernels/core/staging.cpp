#include "kernels/core/staging.h"

#include <cstring>

#include "kernels/core/cuda_runtime.h"
#include "kernels/core/stream.h"

namespace laclip {

PinnedBuffer::PinnedBuffer(int64_t bytes) : data_(cuda_allocate_pinned(bytes)), bytes_(bytes) {}
PinnedBuffer::~PinnedBuffer() { cuda_free_pinned(data_); }

std::byte* Staging::take(int64_t bytes) {
  check(bytes <= kMost, "staging: a piece of {} bytes where {} are possible", bytes, kMost);
  if (used_ + bytes > kMost) ++block_, used_ = 0;
  if (block_ == blocks_.size()) blocks_.emplace_back(kMost);
  std::byte* piece = blocks_[block_].data() + used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return piece;
}

}  // namespace laclip

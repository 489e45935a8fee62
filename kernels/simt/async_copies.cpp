#include "kernels/simt/async_copies.h"

#include <cstring>

namespace laclip::simt {

void AsyncCopies::defer(void* to, const void* from, size_t bytes, size_t zeros, uint8_t poison) {
  std::memset(to, poison, bytes);
  copies_.push_back({to, from, bytes, zeros});
  ++open_;
}

void AsyncCopies::commit() {
  groups_.push_back(open_);
  open_ = 0;
}

void AsyncCopies::wait(size_t groups_left_open) {
  size_t count = 0;
  for (; groups_.size() > groups_left_open; groups_.pop_front()) count += groups_.front();
  for (size_t i = 0; i < count; ++i) {
    const Copy& copy = copies_[i];
    std::memcpy(copy.to, copy.from, copy.bytes - copy.zeros);
    std::memset(static_cast<std::byte*>(copy.to) + copy.bytes - copy.zeros, 0, copy.zeros);
  }
  copies_.erase(copies_.begin(), copies_.begin() + std::ptrdiff_t(count));
}

void AsyncCopies::clear() {
  copies_.clear();
  groups_.clear();
  open_ = 0;
}

}  // namespace laclip::simt

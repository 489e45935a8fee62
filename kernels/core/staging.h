// Pinned host memory: copies from it overlap with host work. A copy from pageable memory would
// first wait for the stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace laclip {

class PinnedBuffer {
 public:
  explicit PinnedBuffer(int64_t bytes);
  ~PinnedBuffer();
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_;
  int64_t bytes_;
};

// What a stream has under way to the device. Pieces are taken one after the other; all are free again
// when the host has waited for the stream.
class Staging {
 public:
  static constexpr int64_t kMost = 1 << 20;  // bytes of a piece
  std::byte* take(int64_t bytes);
  void clear() { block_ = 0, used_ = 0; }

 private:
  std::deque<PinnedBuffer> blocks_;  // of kMost
  size_t block_ = 0;                 // that is being given out, and how much of it
  int64_t used_ = 0;
};

}  // namespace laclip

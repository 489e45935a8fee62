// Pinned host memory, from which copies to the device go on beside the host. From other memory CUDA would
// first wait for all that the stream has been given.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "kernels/core/memory.h"

namespace laclip {

class Stream;

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

// Brings a large input to the device while other streams work, such as the next batch's images. Two
// places take turns: an input may be read until the second begin() after its own, by which time the host
// must have waited for what reads it.
class Upload {
 public:
  // Room for `bytes` is there from the beginning; it grows with larger inputs.
  Upload(const std::string& purpose, int64_t bytes, Device device);
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  // The tensor on the device that will hold `host`, which may be reused on return. On the CPU it is
  // `host` itself.
  Tensor begin(const Tensor& host);
  // The same of `bytes` bytes that `fill` writes; u8 [bytes]. On a GPU only.
  Tensor begin(int64_t bytes, const std::function<void(std::byte*)>& fill);
  // What `stream` is given from here on finds all that was begun.
  void arrive(Stream& stream);

 private:
  struct Place {
    Place(const std::string& purpose, int64_t bytes)
        : device(purpose, bytes, Device::cuda), host(bytes) {}
    Buffer device;
    PinnedBuffer host;
  };
  std::string purpose_;
  std::array<std::optional<Place>, 2> places_;
  void* stream_ = nullptr;
  size_t next_ = 0;
};

}  // namespace laclip

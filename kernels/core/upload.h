// Brings a large input to the device while other streams work, such as the next batch's images. Two
// places take turns: an input may be read until the second begin() after its own, by which time the host
// must have waited for what reads it.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>

#include "kernels/core/stream.h"

namespace laclip {

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

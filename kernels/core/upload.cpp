#include "kernels/core/upload.h"

#include <cstring>

#include "kernels/core/cuda_runtime.h"

namespace laclip {

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

#include "kernels/core/stream.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/core/cuda_runtime.h"
#include "kernels/core/packed_weights.h"

namespace laclip {

Stream::Stream(Device device)
    : device_(device),
      scratch_(device),
      workspace_(device),
      packed_weights_(std::make_unique<PackedWeights>()) {
  if (device_ == Device::cpu) return;
  const char* each = std::getenv("LACLIP_SYNC");
  synchronizes_each_op = each && std::string_view(each) == "1";
  fault_ = Buffer("faults of kernels", sizeof(KernelFault), device_);
  handle_ = cuda_create_stream();
  cuda_synchronize_device();
}

Stream::~Stream() {
  if (!handle_) return;
  cuda_settle(handle_);  // staging outlives the copies
  cuda_destroy_stream(handle_);
}

void Stream::synchronize() {
  if (device_ == Device::cpu) return;
  KernelFault fault{};
  cuda_copy_to_host(handle_, &fault, fault_.data(), sizeof fault);
  cuda_synchronize(handle_);
  staging_.clear();
  if (fault.code == KernelFault::none) return;
  const KernelFault clear{};
  cuda_copy_to_device(handle_, fault_.data(), &clear, sizeof clear);
  cuda_synchronize(handle_);
  const std::string_view contract = fault.contract, op = contract.substr(0, contract.find(':'));
  if (fault.code == KernelFault::id_outside)
    fail("{}: row {}: id {} is outside the table of {}", op, fault.row, fault.value, fault.limit);
  fail("{}: row {} holds a value that is not a number", op, fault.row);
}

namespace {
// CUDA does not promise that pageable memory has been read when an asynchronous copy returns.
void copy_staged(Stream& stream, const Tensor& to, const Tensor& from) {
  for (int64_t at = 0; at < from.bytes(); at += Staging::kMost) {
    const int64_t bytes = std::min(Staging::kMost, from.bytes() - at);
    std::byte* piece = stream.staging().take(bytes);
    std::memcpy(piece, static_cast<const std::byte*>(from.data) + at, size_t(bytes));
    cuda_copy_to_device(stream.handle(), static_cast<std::byte*>(to.data) + at, piece, bytes);
  }
}
}  // namespace

void copy(Stream& stream, const Tensor& to, const Tensor& from) {
  check(to.shape == from.shape && to.dtype == from.dtype, "copy: {} of {} from {} of {}",
        to.shape.text(), name_of(to.dtype), from.shape.text(), name_of(from.dtype));
  const bool on_host = to.device == Device::cpu && from.device == Device::cpu;
  check(on_host || stream.device() == Device::cuda,
        "copy: from {} to {} on a stream of the CPU; give it one of the device",
        name_of(from.device), name_of(to.device));
  if (stream.dry_run || to.data == from.data) return;
  if (on_host)
    std::memmove(to.data, from.data, size_t(to.bytes()));
  else if (to.device == Device::cpu)
    cuda_copy_to_host(stream.handle(), to.data, from.data, to.bytes());
  else if (from.device == Device::cpu)
    copy_staged(stream, to, from);
  else
    cuda_copy_on_device(stream.handle(), to.data, from.data, to.bytes());
}

HostCopy::HostCopy(const Tensor& from) : tensor_(from) {
  if (from.device == Device::cpu) return;
  memory_ = Buffer("copy on the host", from.bytes());
  tensor_ = memory_.tensor(from.shape, from.dtype);
  cuda_read(tensor_.data, from.data, from.bytes());
}

void copy_from_host(const Tensor& to, const Tensor& from) {
  check(to.shape == from.shape && to.dtype == from.dtype, "copy: {} of {} from {} of {}",
        to.shape.text(), name_of(to.dtype), from.shape.text(), name_of(from.dtype));
  if (to.device == Device::cpu)
    std::memmove(to.data, from.data, size_t(to.bytes()));
  else
    cuda_write(to.data, from.data, to.bytes());
}

}  // namespace laclip

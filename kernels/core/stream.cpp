#include "kernels/core/stream.h"

#include <cstring>

#include "kernels/core/cuda_runtime.h"

namespace laclip {

Stream::Stream(Device device) : device_(device), scratch_(device), library_scratch_(device) {
  if (device_ == Device::cpu) return;
  handle_ = cuda_create_stream();
  fault_ = Buffer("faults of kernels", sizeof(KernelFault), device_);
}

Stream::~Stream() {
  if (handle_) cuda_destroy_stream(handle_);
}

void Stream::synchronize() {
  if (device_ == Device::cpu) return;
  KernelFault fault{};
  cuda_copy_to_host(handle_, &fault, fault_.data(), sizeof fault);
  cuda_synchronize(handle_);
  if (fault.code == KernelFault::none) return;
  const KernelFault clear{};
  cuda_copy_to_device(handle_, fault_.data(), &clear, sizeof clear);
  cuda_synchronize(handle_);
  if (fault.code == KernelFault::id_outside)
    fail("row {}: id {} is outside the table of {}", fault.row, fault.value, fault.limit);
  fail("row {} holds a value that is not a number", fault.row);
}

void copy(Stream& stream, const Tensor& to, const Tensor& from) {
  check(to.shape == from.shape && to.dtype == from.dtype, "copy: {} of {} from {} of {}",
        to.shape.text(), name_of(to.dtype), from.shape.text(), name_of(from.dtype));
  if (stream.dry_run || to.data == from.data) return;
  if (to.device == Device::cpu && from.device == Device::cpu)
    std::memmove(to.data, from.data, size_t(to.bytes()));
  else if (to.device == Device::cpu)
    cuda_copy_to_host(stream.handle(), to.data, from.data, to.bytes());
  else if (from.device == Device::cpu)
    cuda_copy_to_device(stream.handle(), to.data, from.data, to.bytes());
  else
    cuda_copy_on_device(stream.handle(), to.data, from.data, to.bytes());
}

HostCopy::HostCopy(const Tensor& from) : tensor_(from) {
  if (from.device == Device::cpu) return;
  memory_ = Buffer("copy on the host", from.bytes());
  tensor_ = memory_.tensor(from.shape, from.dtype);
  Stream stream(from.device);
  copy(stream, tensor_, from);
  stream.synchronize();
}

void copy_from_host(const Tensor& to, const Tensor& from) {
  Stream stream(to.device);
  copy(stream, to, from);
  stream.synchronize();
}

}  // namespace laclip

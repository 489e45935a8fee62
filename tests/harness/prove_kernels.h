// While one lives, every kernel on the host is run in all orders of its threads and on two poisons of
// shared memory, and may meet no conflict of banks (kernels/simt/settings.h). With a GPU nothing happens.
#pragma once

#include "kernels/core/device.h"
#ifdef LACLIP_SIMT
#include "kernels/simt/settings.h"
#endif

namespace laclip::test {

#ifdef LACLIP_SIMT
class ProveKernels {
 public:
  explicit ProveKernels(Device device) : before_(simt::settings()) {
    if (device == Device::cuda) simt::settings().prove = simt::settings().banks = true;
  }
  ~ProveKernels() { simt::settings() = before_; }
  ProveKernels(const ProveKernels&) = delete;
  ProveKernels& operator=(const ProveKernels&) = delete;

 private:
  simt::Settings before_;
};
#else
struct ProveKernels {
  explicit ProveKernels(Device) {}
};
#endif

}  // namespace laclip::test

// While one lives, every kernel on the host is run in all orders of its threads and on two poisons of
// shared memory (kernels/simt/settings.h). With a GPU nothing happens.
#pragma once

#include "kernels/core/device.h"
#ifdef LACLIP_SIMT
#include "kernels/simt/settings.h"
#endif

namespace laclip::test {

#ifdef LACLIP_SIMT
class ProveKernels {
 public:
  explicit ProveKernels(Device device) : before_(simt::settings().prove) {
    if (device == Device::cuda) simt::settings().prove = true;
  }
  ~ProveKernels() { simt::settings().prove = before_; }
  ProveKernels(const ProveKernels&) = delete;
  ProveKernels& operator=(const ProveKernels&) = delete;

 private:
  bool before_;
};
#else
struct ProveKernels {
  explicit ProveKernels(Device) {}
};
#endif

}  // namespace laclip::test

#include "apps/device.h"

#include <limits>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "kernels/core/cuda_runtime.h"

namespace laclip {

DType parse_precision(const std::string& name) {
  if (name == "fp32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  fail_usage("--precision {}: fp32 and bf16 are possible", name);
}

std::string settled_precision(const std::string& name, Device device) {
  if (name != "auto") return name;
  return device == Device::cuda ? "bf16" : "fp32";
}

Device parse_device(const std::string& name) {
  if (name == "cpu" || (name == "auto" && !cuda_is_a_gpu())) return Device::cpu;
  if (name != "auto" && name != "cuda")
    fail_usage("--device {}: auto, cpu and cuda are possible", name);
  check(cuda_devices() > 0, "--device {}: {}; use --device cpu", name, cuda_absence());
  static bool said = false;
  if (!cuda_is_a_gpu() && !std::exchange(said, true))
    log_info(
        "--device cuda: this build runs CUDA kernels on the host, thread by thread, to check "
        "them; for a GPU build with -DLACLIP_CUDA=ON");
  return Device::cuda;
}

int64_t free_memory(Device device) {
  if (device == Device::cuda) return cuda_memory().free;
  for (const std::string& line : read_lines("/proc/meminfo"))
    if (line.starts_with("MemAvailable:")) return std::stoll(line.substr(13)) << 10;
  return std::numeric_limits<int64_t>::max();
}

}  // namespace laclip

// --precision and --device, as all commands read them.
#pragma once

#include <string>

#include "kernels/core/device.h"
#include "kernels/core/dtype.h"

namespace laclip {

DType parse_precision(const std::string& name);  // fp32 or bf16
// auto is bf16 on a GPU and fp32 on a CPU.
std::string settled_precision(const std::string& name, Device device);
// auto, cpu or cuda; Error if it is not there. auto is cuda where there is a GPU.
Device parse_device(const std::string& name);
int64_t free_memory(Device device);  // bytes, as the device or the system tells

}  // namespace laclip

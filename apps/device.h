// --precision and --device, as all commands read them.
#pragma once

#include <string>

#include "kernels/core/device.h"
#include "kernels/core/dtype.h"

namespace laclip {

DType parse_precision(const std::string& name);  // fp32 or bf16
// auto, cpu or cuda; Error if it is not there. auto is cuda where there is a GPU.
Device parse_device(const std::string& name);

}  // namespace laclip

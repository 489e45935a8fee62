// Weights rearranged for the device's GEMM, packed once and kept (Stream::constant_weights).
#pragma once

#include <map>
#include <tuple>

#include "kernels/core/memory.h"

namespace laclip {

struct PackedWeights {
  using Key = std::tuple<const void*, int64_t, int64_t, int64_t, int64_t>;  // address, shape, form
  std::map<Key, Buffer> copies;
};

}  // namespace laclip

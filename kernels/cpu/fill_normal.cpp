#include "kernels/ops/fill_normal.h"

#include <algorithm>

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void fill_normal(Stream&, Out y, float deviation, uint64_t seed) {
  const int64_t count = y.elements();
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    T* out = y.as<T>();
    parallel_ranges(count, 4096, [&](int64_t first, int64_t end) {
      for (int64_t begin = first; begin < end; begin += 4) {
        const NormalFour four = normal_four(seed, begin / 4);
        const int64_t here = std::min<int64_t>(4, end - begin);
        for (int64_t e = 0; e < here; ++e) store(out[begin + e], deviation * four.values[e]);
      }
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

#include "kernels/ops/fill_normal.h"

#include <algorithm>

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void fill_normal(Stream&, Out y, float deviation, uint64_t seed) {
  const int64_t count = y.elements();
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    T* out = y.as<T>();
    parallel_rows((count + 3) / 4, 4, [=](int64_t block) {
      const NormalFour four = normal_four(seed, block);
      const int64_t begin = 4 * block, here = std::min<int64_t>(4, count - begin);
      for (int64_t e = 0; e < here; ++e) store(out[begin + e], deviation * four.values[e]);
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

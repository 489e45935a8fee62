#include "kernels/ops/fill_normal.h"

#include <algorithm>

namespace laclip::cpu {

void fill_normal(Stream&, Out y, float deviation, uint64_t seed) {
  const int64_t count = y.elements();
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    T* out = y.as<T>();
#pragma omp parallel for schedule(static)
    for (int64_t begin = 0; begin < count; begin += 4) {
      const NormalFour four = normal_four(seed, begin / 4);
      const int64_t here = std::min<int64_t>(4, count - begin);
      for (int64_t e = 0; e < here; ++e) store(out[begin + e], deviation * four.values[e]);
    }
  });
}

}  // namespace laclip::cpu

#include "kernels/ops/reduce.h"

#include <algorithm>

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void sum_of_squares(Stream& stream, Out y, In x) {
  constexpr int64_t kBlock = 1 << 16;  // fp32 sums of a block, fp64 over the blocks
  const int64_t count = x.elements(), blocks = (count + kBlock - 1) / kBlock;
  float* sums = stream.scratch().reserve<float>(blocks);
  parallel_for(blocks, [&](int64_t b) {
    const float* in = x.as<float>();  // a local variable, without which g++ 12 does not vectorise
    const int64_t end = std::min(count, (b + 1) * kBlock);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = b * kBlock; i < end; ++i) sum += in[i] * in[i];
    sums[b] = sum;
  });
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += double(sums[b]);
  *y.as<float>() = float(total);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

#include "kernels/ops/elementwise.h"

#include <algorithm>
#include <span>

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void convert(Stream&, Out y, In x) {
  const int64_t count = y.elements();
  dispatch_float(y.dtype, [&]<class To>(TypeTag<To>) {
    dispatch_float(x.dtype, [&]<class From>(TypeTag<From>) {
      To* out = y.as<To>();
      const From* in = x.as<From>();
      parallel_elements(count, [=](int64_t i) { store(out[i], float(in[i])); });
    });
  });
}

void fill(Stream&, Out y, float value) {
  const int64_t count = y.elements();
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    T* out = y.as<T>();
    parallel_elements(count, [=](int64_t i) { store(out[i], value); });
  });
}

void multiples(Stream&, Out y, int stride) {
  for (int64_t i = 0; i < y.elements(); ++i) y.as<int32_t>()[i] = int32_t(i * stride);
}

void clamp(Stream&, InOut y, Bounds bounds) {
  for (float& v : std::span(y.as<float>(), size_t(y.elements())))
    v = std::clamp(v, bounds.low, bounds.high);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

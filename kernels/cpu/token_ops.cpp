#include "kernels/ops/token_ops.h"

#include <cstring>

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

void check_rows(const char* op, In rows, int64_t count) {
  for (int64_t b = 0; b < rows[0]; ++b) {
    const int32_t row = rows.as<int32_t>()[b];
    check(row >= 0 && row < count, "{}: row {} is outside 0..{}", op, row, count - 1);
  }
}

}  // namespace

void gather_rows_forward(Stream&, Out y, In x, In rows) {
  check_rows("gather_rows_forward", rows, x[0]);
  const auto bytes = size_t(x[1] * size_of(x.dtype));
  auto* out = static_cast<std::byte*>(y.data);
  const auto* in = static_cast<const std::byte*>(x.tensor().data);
  for (int64_t b = 0; b < y[0]; ++b)
    std::memcpy(out + size_t(b) * bytes, in + size_t(rows.as<int32_t>()[b]) * bytes, bytes);
}

void gather_rows_backward(Stream&, Out dx, In dy, In rows) {
  check_rows("gather_rows_backward", rows, dx[0]);
  const auto bytes = size_t(dx[1] * size_of(dx.dtype));
  auto* out = static_cast<std::byte*>(dx.data);
  const auto* in = static_cast<const std::byte*>(dy.tensor().data);
  std::memset(out, 0, size_t(dx.bytes()));
  for (int64_t b = 0; b < dy[0]; ++b)
    std::memcpy(out + size_t(rows.as<int32_t>()[b]) * bytes, in + size_t(b) * bytes, bytes);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

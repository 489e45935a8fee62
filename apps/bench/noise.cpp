#include "apps/bench/noise.h"

#include <algorithm>
#include <cmath>

#include "base/philox.h"

namespace laclip {
namespace {

constexpr int64_t kBlock = 1 << 20;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

const Tensor& Noise::block(DType type, float deviation) {
  const auto found = blocks_.find({type, deviation});
  if (found != blocks_.end()) return found->second.second;
  if (normal_.empty()) {
    Random random(0, RandomUse::test);
    normal_.resize(size_t(kBlock));
    for (float& value : normal_) value = random.normal();
  }
  auto& [memory, tensor] = blocks_[{type, deviation}];
  memory = Buffer("noise", kBlock * size_of(type), stream_.device());
  tensor = memory.tensor({kBlock}, type);
  std::vector<float> values(normal_);
  for (float& value : values) value *= deviation;
  if (type == DType::f32) {
    copy(stream_, tensor, tensor_of(values));
  } else {
    std::vector<bf16> rounded(values.begin(), values.end());
    copy(stream_, tensor, tensor_of(rounded));
  }
  return tensor;
}

void Noise::fill(const Tensor& to, float deviation) {
  const Tensor& from = block(to.dtype, deviation);
  const Tensor flat = to.view({to.elements()});
  for (int64_t begin = 0; begin < flat[0];) {
    const int64_t piece = std::min(flat[0] - begin, kBlock - at_);
    copy(stream_, flat.rows(begin, piece), from.rows(at_, piece));
    begin += piece;
    at_ = (at_ + (piece + 63) / 64 * 64) % kBlock;
  }
}

void Noise::fill(ParameterSet& parameters) {
  for (const Parameter& p : parameters.list()) {
    const Tensor& to = p.master ? p.master : p.value;
    const auto constant = [&](float value) {
      const std::vector<float> values(size_t(to.elements()), value);
      const std::vector<bf16> rounded(values.begin(), values.end());
      copy(stream_, to.view({to.elements()}),
           to.dtype == DType::f32 ? tensor_of(values) : tensor_of(rounded));
    };
    std::visit(Overloaded{[&](const Constant& c) { constant(c.value); },
                          [&](const Normal& n) { fill(to, n.deviation); },
                          [&](const TruncatedNormal& n) { fill(to, n.deviation); },
                          [&](const Uniform& u) { fill(to, u.bound / std::sqrt(3.0f)); }},
               p.initializer);
  }
  parameters.refresh_values(stream_);
  stream_.synchronize();
}

}  // namespace laclip

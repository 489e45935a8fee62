// Random normal numbers in any number, for what a bench reads: 2²⁰ of them are drawn and repeated. (Zeros
// would flatter: a GPU is faster with them, because it draws less power.)
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "engine/parameter.h"
#include "kernels/core/stream.h"

namespace laclip {

class Noise {
 public:
  explicit Noise(Stream& stream) : stream_(stream) {}

  // fp32 or bf16; each tensor begins somewhere else in the block, so that no two are alike.
  void fill(const Tensor& to, float deviation = 1);
  // As they are initialised, but for the cut of truncated distributions.
  void fill(ParameterSet& parameters);

 private:
  const Tensor& block(DType type, float deviation);

  Stream& stream_;
  std::vector<float> normal_;
  std::map<std::pair<DType, float>, std::pair<Buffer, Tensor>> blocks_;  // where the tensors are
  int64_t at_ = 0;
};

}  // namespace laclip

// The ops that `laclip bench ops` measures, at the sizes of CLIP and LLaMA.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "apps/bench/noise.h"
#include "kernels/core/memory.h"
#include "kernels/core/stream.h"

namespace laclip {

// The operands of one call.
class Operands {
 public:
  Operands(Stream& stream, Noise& noise) : stream_(stream), noise_(noise) {}
  Tensor f32(Shape shape, float deviation = 1) { return normal(shape, DType::f32, deviation); }
  Tensor bf16(Shape shape, float deviation = 1) { return normal(shape, DType::bf16, deviation); }
  Tensor bytes(Shape shape) { return memory(shape, DType::u8); }
  Tensor list(const std::vector<int32_t>& values);
  Tensor list(const std::vector<float>& values);
  Stream& stream() const { return stream_; }
  int64_t size() const { return size_; }  // of all of them, in bytes

 private:
  Tensor memory(Shape shape, DType type);
  Tensor normal(Shape shape, DType type, float deviation);

  Stream& stream_;
  Noise& noise_;
  std::deque<Buffer> memory_;
  int64_t size_ = 0;
};

struct OpRow {
  std::string op, shape;
  DType type = DType::bf16;
  double bytes = 0, flops = 0;  // of a call: what it must read and write, and its arithmetic
  using Call = std::function<void(Stream&)>;
  std::function<Call(Operands&)> make;  // operands, and the call that takes them

  std::string name() const { return op + " " + shape; }
};

// scale: of the rows and parameters; 1 = those of ViT-B-16 at a batch of 256. width: of the image tower.
std::vector<OpRow> op_rows(double scale, int64_t width);

}  // namespace laclip

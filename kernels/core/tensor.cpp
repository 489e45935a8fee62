#include "kernels/core/tensor.h"

namespace laclip {

Shape::Shape(std::initializer_list<int64_t> list) {
  check(list.size() <= kMaxRank, "a tensor of {} dimensions; {} are possible", list.size(),
        kMaxRank);
  for (int64_t size : list) sizes[size_t(rank++)] = size;
}

int64_t Shape::elements() const {
  int64_t count = 1;
  for (int i = 0; i < rank; ++i) count *= sizes[size_t(i)];
  return count;
}

std::string Shape::text() const {
  std::string text = "[";
  for (int i = 0; i < rank; ++i) text += (i ? " " : "") + std::to_string(sizes[size_t(i)]);
  return text + "]";
}

Tensor Tensor::view(Shape other) const {
  check(other.elements() == elements(), "a tensor {} cannot be viewed as {}", shape.text(),
        other.text());
  Tensor result = *this;
  result.shape = other;
  return result;
}

Tensor Tensor::rows(int64_t begin, int64_t count) const {
  check(shape.rank > 0 && begin >= 0 && count >= 0 && begin + count <= shape[0],
        "rows {}..{} of a tensor {}", begin, begin + count, shape.text());
  Tensor result = *this;
  const int64_t row = shape[0] == 0 ? 0 : elements() / shape[0];
  result.data = static_cast<std::byte*>(data) + begin * row * size_of(dtype);
  result.shape.sizes[0] = count;
  return result;
}

void Tensor::fail_as(DType wanted) const {
  if (dtype == wanted)
    fail("a tensor {} of {} lies at an odd address, as in a mapped file; copy it before it is used",
         shape.text(), name_of(dtype));
  fail("a tensor {} of {} is used as {}", shape.text(), name_of(dtype), name_of(wanted));
}

}  // namespace laclip

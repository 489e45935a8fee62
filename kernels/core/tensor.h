// Tensor: a view of dense row-major elements on a device. It owns nothing and is copied freely;
// Buffer and Arena (memory.h) own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "kernels/core/device.h"
#include "kernels/core/dtype.h"

namespace laclip {

struct Shape {
  static constexpr int kMaxRank = 5;
  std::array<int64_t, kMaxRank> sizes{};
  int rank = 0;

  Shape() = default;
  Shape(std::initializer_list<int64_t> list);
  int64_t operator[](int i) const { return sizes[size_t(i)]; }
  int64_t elements() const;
  bool operator==(const Shape&) const = default;
  std::string text() const;  // "[2 3]"
};

struct Tensor {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;
  Device device = Device::cpu;

  explicit operator bool() const { return data != nullptr; }
  int64_t operator[](int i) const { return shape[i]; }  // the size of dimension i
  int64_t elements() const { return shape.elements(); }
  int64_t bytes() const { return elements() * size_of(dtype); }

  // The elements as T; Error if the tensor holds another type, or lies where no T can (a view into
  // a file).
  template <class T>
  T* as() const {
    if (dtype != dtype_of<T> || reinterpret_cast<uintptr_t>(data) % alignof(T) != 0) [[unlikely]]
      fail_as(dtype_of<T>);
    return static_cast<T*>(data);
  }

  Tensor view(Shape other) const;                   // same elements, another shape
  Tensor rows(int64_t begin, int64_t count) const;  // a range of the first dimension

 private:
  [[noreturn]] void fail_as(DType wanted) const;
};

// A tensor over existing memory of the host: tensor_of(vector.data(), {2, 3}).
template <class T>
Tensor tensor_of(T* data, Shape shape) {
  return {const_cast<std::remove_const_t<T>*>(data), shape, dtype_of<std::remove_const_t<T>>,
          Device::cpu};
}
// All elements of a list, [size].
template <class T>
Tensor tensor_of(const std::vector<T>& list) {
  return tensor_of(list.data(), {int64_t(list.size())});
}

}  // namespace laclip

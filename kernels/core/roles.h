// The role of an operand is its type, so a signature says what an op reads, writes and adds to.
//   In     read only
//   Out    overwritten completely; what was there does not matter
//   Acc    added to (parameter gradients)
//   InOut  read and changed
// A null operand is passed as `none`, and allowed only where the contract says `?`.
#pragma once

#include "kernels/core/tensor.h"

namespace laclip {

struct None {};
inline constexpr None none{};

enum class Role : uint8_t { in, out, acc, in_out };

struct In : private Tensor {
  static constexpr Role role = Role::in;
  In(const Tensor& tensor) : Tensor(tensor) {}
  In(None) {}
  using Tensor::dtype, Tensor::shape, Tensor::operator[], Tensor::elements, Tensor::operator bool;
  template <class T>
  const T* as() const {
    return Tensor::as<T>();
  }
  const Tensor& tensor() const { return *this; }  // for the checks and for libraries
};

template <Role R>
struct Written : Tensor {
  static constexpr Role role = R;
  Written(const Tensor& tensor) : Tensor(tensor) {}
  Written(None) {}
  const Tensor& tensor() const { return *this; }
};
using Out = Written<Role::out>;
using Acc = Written<Role::acc>;
using InOut = Written<Role::in_out>;

}  // namespace laclip

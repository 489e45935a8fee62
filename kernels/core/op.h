// Op<Signature>: joins the contract of an op with its implementations. A call checks the operands
// against the contract, then runs the implementation of the stream's device:
//
//   using AddForward = void(Stream&, Out y, In a, In b);
//   namespace cpu { LACLIP_CPU_OP(AddForward, add_forward) }
//   namespace cuda { AddForward add_forward; }
//   inline constexpr Op<AddForward> add_forward{
//       "add_forward: y[N C] <- a[N C] b[N C]", cpu::add_forward, cuda::add_forward};
#pragma once

#include <concepts>
#include <type_traits>

#include "kernels/core/contract.h"
#include "kernels/core/cpu_level.h"
#include "kernels/core/roles.h"
#include "kernels/core/stream.h"

namespace laclip {

template <class T>
concept Operand =
    std::same_as<T, In> || std::same_as<T, Out> || std::same_as<T, Acc> || std::same_as<T, InOut>;

// What stands around the call of an implementation: the order of LACLIP_SYNC, the times of a profile.
class OpCall {
 public:
  OpCall(Stream& stream, const Contract& contract);
  void end();  // not reached after an error

 private:
  Stream& stream_;
  const Contract& contract_;
  double begin_ = 0;  // of a profile, s
};

template <class Signature>
class Op;

template <class... Args>
class Op<void(Stream&, Args...)> {
 public:
  using Function = void(Stream&, Args...);
  static constexpr int kOperands = (int(Operand<Args>) + ... + 0);

  consteval Op(const char* contract, CpuVariants<Function> cpu, Function* cuda)
      : contract_(contract), cpu_(cpu), cuda_(cuda) {
    if (contract_.count != kOperands) throw "the contract and the signature disagree";
    if (!roles_agree(contract_)) throw "an operand stands on the wrong side of <-";
  }

  void operator()(Stream& stream, Args... args) const {
    const Tensor* operands[kOperands > 0 ? kOperands : 1];
    int count = 0;
    (
        [&](auto& arg) {
          if constexpr (Operand<std::remove_cvref_t<decltype(arg)>>)
            operands[count++] = &arg.tensor();
        }(args),
        ...);
    contract_.check(operands, stream.device());
    if (stream.dry_run) return;
    Function* function = stream.device() == Device::cpu ? cpu_.get() : cuda_;
    OpCall call(stream, contract_);
    function(stream, args...);
    call.end();
  }

  const Contract& contract() const { return contract_; }

 private:
  enum class Side { written, read, attribute };

  // Outputs stand left of "<-" in the contract exactly if their type says that they are written.
  static consteval bool roles_agree(const Contract& contract) {
    int position = 0;
    for (Side side : {side_of<Args>()...}) {
      if (side == Side::attribute) continue;
      if ((position < contract.outputs) != (side == Side::written)) return false;
      ++position;
    }
    return true;
  }
  template <class Arg>
  static consteval Side side_of() {
    if constexpr (!Operand<Arg>)
      return Side::attribute;
    else
      return Arg::role == Role::in ? Side::read : Side::written;
  }

  Contract contract_;
  CpuVariants<Function> cpu_;
  Function* cuda_;
};

}  // namespace laclip

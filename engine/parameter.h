// Parameters: each is declared once, under its open_clip or Hugging Face name, and that one list
// drives allocation, initialisation, optimiser, checkpoint, import and export.
//
//   ParameterSet parameters;
//   const Parameter& w = parameters.add("visual.proj", {width, embed}, Decay::yes, Normal{std});
//   parameters.allocate(DType::bf16, Training::yes);     // then w.value, w.gradient are valid
//
// Training memory is four flat arrays (masters, gradients, m, v), decayed parameters first, so that
// the optimiser and the gradient norm are one call each.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "kernels/core/memory.h"
#include "kernels/core/stream.h"

namespace laclip {

// How a parameter is drawn at the start; the draw depends on seed and name only.
struct Constant {
  float value = 0;
};
struct Normal {
  float deviation;
};
struct TruncatedNormal {
  float deviation;
};  // cut at ±2 (an absolute bound, as timm's)
struct Uniform {
  float bound;
};  // in [-bound, bound]
using Initializer = std::variant<Constant, Normal, TruncatedNormal, Uniform>;

enum class Decay : bool { no, yes };
enum class Training : bool { no, yes };

struct Parameter {
  std::string name;
  Shape shape;
  Decay decay = Decay::no;
  Initializer initializer;
  bool keep_f32 = false;  // value is fp32 in every precision (logit_scale)

  Tensor value;     // [shape] in the compute type, or fp32: what the ops read
  Tensor master;    // [shape] fp32; the same memory as value if that is fp32; null if not kept
  Tensor gradient;  // [shape] fp32; null without training
};

class ParameterSet {
 public:
  ParameterSet() = default;
  ParameterSet(const ParameterSet&) = delete;  // layers hold references into it
  ParameterSet& operator=(const ParameterSet&) = delete;

  // Declares a parameter; the reference stays valid. Error if the name is taken.
  const Parameter& add(std::string name, Shape shape, Decay decay, Initializer initializer,
                       bool keep_f32 = false);

  // Parameters declared one after the other, seen as one matrix [shape] (query, key and value
  // weights as one product). Its tensors are valid after allocate(), as theirs are.
  const Parameter& join(std::initializer_list<const Parameter*> parts, Shape shape);

  // Gives every parameter memory (zeroed). compute = f32 or bf16. Without training there are no
  // fp32 masters beside bf16 values.
  void allocate(DType compute, Training training, Device device = Device::cpu);

  // Copies weights from a file into a parameter, converting the element type. Error if the number
  // of elements differs.
  void assign(const Parameter& parameter, const Tensor& from);

  // assign() for weights in a mapped file, which must outlive the set: without training the
  // parameter reads `from` where it lies, if type and alignment allow it and the parameter is not
  // joined to others; its own memory stays untouched and so costs nothing.
  void assign_or_refer(const Parameter& parameter, const Tensor& from);

  void initialize(uint64_t seed);  // draws all parameters
  void refresh_values(Stream&);    // value = master in the compute type
  void zero_gradients(Stream&);

  const Parameter* find(std::string_view name) const;  // null if there is none
  const std::deque<Parameter>& list() const { return parameters_; }
  int64_t elements() const;

  // The flat arrays of training, [total] with padding between parameters; elements before decayed()
  // belong to decayed parameters. values() is null in fp32 precision.
  Tensor masters() const { return masters_; }
  Tensor gradients() const { return gradients_; }
  Tensor first_moments() const { return first_moments_; }
  Tensor second_moments() const { return second_moments_; }
  Tensor first_moment(const Parameter& p) const { return beside_master(first_moments_, p); }
  Tensor second_moment(const Parameter& p) const { return beside_master(second_moments_, p); }
  Tensor values() const { return values_; }
  Tensor square_norm() const { return square_norm_; }  // [1]: of the gradients (optimizer.h)
  int64_t decayed() const { return decayed_; }
  Device device() const { return device_; }

 private:
  // The part of a flat array that belongs to a parameter.
  Tensor beside_master(const Tensor& flat, const Parameter& p) const;

  struct Joint {
    std::vector<const Parameter*> parts;
    Parameter whole;
  };
  std::deque<Parameter> parameters_;
  std::deque<Joint> joints_;
  Buffer weights_, compute_weights_, gradient_memory_, moments_, norm_memory_;
  Tensor masters_, gradients_, first_moments_, second_moments_, values_, square_norm_;
  int64_t decayed_ = 0;
  Device device_ = Device::cpu;
};

}  // namespace laclip

#include "engine/parameter.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/philox.h"
#include "engine/safetensors.h"
#include "kernels/ops/elementwise.h"

namespace laclip {
namespace {

constexpr int64_t kElementAlignment = kAlignment / 2;  // of elements: 64 bytes also in bf16

int64_t aligned(int64_t elements) {
  return (elements + kElementAlignment - 1) / kElementAlignment * kElementAlignment;
}

uint64_t hash_of(const std::string& name) {  // FNV-1a, so a draw depends on the name, not the order
  uint64_t hash = 0xcbf29ce484222325u;
  for (char c : name) hash = (hash ^ uint8_t(c)) * 0x100000001b3u;
  return hash;
}

struct Draw {
  float* out;
  int64_t count;
  Random random;
  void operator()(Constant c) { std::fill(out, out + count, c.value); }
  void operator()(Uniform u) {
    for (int64_t i = 0; i < count; ++i) out[i] = random.uniform(-u.bound, u.bound);
  }
  void operator()(Normal n) {
    for (int64_t i = 0; i < count; ++i) out[i] = n.deviation * random.normal();
  }
  void operator()(TruncatedNormal n) {
    for (int64_t i = 0; i < count; ++i) do
        out[i] = n.deviation * random.normal();
      while (std::abs(out[i]) > 2.0f);
  }
};

// to = from in the type of `to`; `from` lies on the host, maybe at an odd address.
void copy_converted(const Tensor& to, const Tensor& from) {
  if (to.dtype == DType::f32) return copy_to_f32(to, from);
  if (to.dtype == from.dtype) return copy_from_host(to, from.view(to.shape));
  Buffer fp32("one parameter", 4 * from.elements()), rounded("one parameter", to.bytes());
  const Tensor staged = fp32.tensor({from.elements()}, DType::f32);
  const Tensor host = rounded.tensor({from.elements()}, to.dtype);
  copy_to_f32(staged, from);
  Stream stream;
  convert(stream, host, staged);
  copy_from_host(to, host.view(to.shape));
}

// One tensor of all parts, which must lie one behind the other.
Tensor joined(const std::vector<const Parameter*>& parts, Tensor Parameter::*which, Shape shape) {
  Tensor all = parts.front()->*which;
  const auto* end = static_cast<const std::byte*>(all.data);
  for (const Parameter* p : parts) {
    check((p->*which).data == end,
          "{} does not follow the parameter before it in memory: its width is no multiple of {} "
          "elements",
          p->name, kElementAlignment);
    end += (p->*which).bytes();
  }
  all.shape = shape;
  check(static_cast<const std::byte*>(all.data) + all.bytes() == end,
        "{} and those that follow do not make {}", parts.front()->name, shape.text());
  return all;
}

}  // namespace

const Parameter& ParameterSet::add(std::string name, Shape shape, Decay decay,
                                   Initializer initializer, bool keep_f32) {
  check(!find(name), "parameter {} is declared twice", name);
  Parameter parameter;
  parameter.name = std::move(name);
  parameter.shape = shape;
  parameter.decay = decay;
  parameter.initializer = initializer;
  parameter.keep_f32 = keep_f32;
  return parameters_.emplace_back(std::move(parameter));
}

const Parameter& ParameterSet::join(std::initializer_list<const Parameter*> parts, Shape shape) {
  Joint& joint = joints_.emplace_back();
  joint.parts = parts;
  joint.whole.shape = shape;
  return joint.whole;
}

void ParameterSet::allocate(DType compute, Training training, Device device) {
  device_ = device;
  // Decayed parameters first, so that the optimiser sees one border instead of a list.
  std::vector<Parameter*> order;
  for (Parameter& p : parameters_) order.push_back(&p);
  std::stable_partition(order.begin(), order.end(),
                        [](const Parameter* p) { return p->decay == Decay::yes; });
  int64_t total = 0;
  decayed_ = 0;
  for (const Parameter* p : order) {
    total += aligned(p->shape.elements());
    if (p->decay == Decay::yes) decayed_ = total;
  }

  const bool rounded = compute == DType::bf16, trains = training == Training::yes;
  const bool keeps = std::any_of(order.begin(), order.end(), [](auto* p) { return p->keep_f32; });
  const bool masters = trains || !rounded || keeps;
  if (masters) {
    weights_ = Buffer("weights (fp32)", 4 * total, device);
    masters_ = weights_.tensor({total}, DType::f32);
  }
  if (rounded) {
    compute_weights_ = Buffer("weights (bf16)", 2 * total, device);
    values_ = compute_weights_.tensor({total}, DType::bf16);
  }
  if (trains) {
    gradient_memory_ = Buffer("gradients", 4 * total, device);
    gradients_ = gradient_memory_.tensor({total}, DType::f32);
    moments_ = Buffer("optimizer moments", 8 * total, device);
    first_moments_ = moments_.tensor({total}, DType::f32);
    second_moments_ = moments_.tensor({total}, DType::f32, 4 * total);
    norm_memory_ = Buffer("gradient norm", 4, device);
    square_norm_ = norm_memory_.tensor({1}, DType::f32);
  }
  int64_t at = 0;
  for (Parameter* p : order) {
    if (masters) p->master = weights_.tensor(p->shape, DType::f32, 4 * at);
    if (rounded && !p->keep_f32)
      p->value = compute_weights_.tensor(p->shape, DType::bf16, 2 * at);
    else
      p->value = p->master;
    if (trains) p->gradient = gradient_memory_.tensor(p->shape, DType::f32, 4 * at);
    at += aligned(p->shape.elements());
  }
  for (auto& [parts, whole] : joints_) {
    whole.value = joined(parts, &Parameter::value, whole.shape);
    if (masters) whole.master = joined(parts, &Parameter::master, whole.shape);
    if (trains) whole.gradient = joined(parts, &Parameter::gradient, whole.shape);
  }
}

void ParameterSet::assign(const Parameter& parameter, const Tensor& from) {
  check(parameter.shape.elements() == from.elements(), "parameter {} is {} but {} is given",
        parameter.name, parameter.shape.text(), from.shape.text());
  if (parameter.master) copy_to_f32(parameter.master, from);
  if (parameter.value.data != parameter.master.data) copy_converted(parameter.value, from);
}

void ParameterSet::assign_or_refer(const Parameter& parameter, const Tensor& from) {
  const bool joined = std::any_of(joints_.begin(), joints_.end(), [&](const Joint& joint) {
    return std::count(joint.parts.begin(), joint.parts.end(), &parameter) > 0;
  });
  const bool fits = parameter.value.dtype == from.dtype &&
                    parameter.shape.elements() == from.elements() &&
                    parameter.value.device == from.device &&
                    reinterpret_cast<uintptr_t>(from.data) % size_t(size_of(from.dtype)) == 0;
  if (joined || parameter.gradient || !fits) return assign(parameter, from);
  for (Parameter& p : parameters_) {
    if (&p != &parameter) continue;
    if (p.master) p.master.data = from.data;
    p.value.data = from.data;
  }
}

Tensor ParameterSet::beside_master(const Tensor& flat, const Parameter& p) const {
  Tensor part = p.master;
  part.data = flat.as<float>() + (p.master.as<float>() - masters_.as<float>());
  return part;
}

void ParameterSet::initialize(uint64_t seed) {
  for (const Parameter& p : parameters_) {
    Buffer drawn("one parameter", 4 * p.shape.elements());
    const Tensor draw = drawn.tensor(p.shape, DType::f32);
    std::visit(Draw{draw.as<float>(), draw.elements(),
                    Random(seed, RandomUse::parameter_init, hash_of(p.name))},
               p.initializer);
    assign(p, draw);
  }
}

void ParameterSet::refresh_values(Stream& stream) {
  if (values_ && masters_) convert(stream, values_, masters_);
}

void ParameterSet::zero_gradients(Stream& stream) { fill(stream, gradients_, 0.0f); }

const Parameter* ParameterSet::find(std::string_view name) const {
  for (const Parameter& p : parameters_)
    if (p.name == name) return &p;
  return nullptr;
}

int64_t ParameterSet::elements() const {
  int64_t count = 0;
  for (const Parameter& p : parameters_) count += p.shape.elements();
  return count;
}

}  // namespace laclip

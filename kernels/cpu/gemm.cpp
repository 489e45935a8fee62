#include "kernels/cpu/gemm.h"

#include <dnnl.hpp>
#include <map>
#include <unordered_map>

#include "kernels/cpu/gemm_own.h"

namespace laclip::cpu {
namespace {

dnnl::engine& engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& dnnl_stream() {
  thread_local dnnl::stream stream(engine());
  return stream;
}

dnnl::memory::data_type type_of(DType type) {
  return type == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

dnnl::memory::desc matrix(int64_t rows, int64_t columns, Layout layout, DType type) {
  const dnnl::memory::dims strides =
      layout == Layout::plain ? dnnl::memory::dims{columns, 1} : dnnl::memory::dims{1, rows};
  return {{rows, columns}, type_of(type), strides};
}

struct Plan {
  dnnl::matmul primitive;
  dnnl::memory a, b, bias, c, scratch;
  int64_t scratch_bytes;
};

Plan make_plan(const Gemm& g) {
  const auto a = matrix(g.m, g.k, g.a, g.type), b = matrix(g.k, g.n, g.b, g.type);
  const auto c = matrix(g.m, g.n, Layout::plain, g.c_type);
  const dnnl::memory::desc bias({1, g.n}, type_of(g.type), dnnl::memory::dims{g.n, 1});
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (g.accumulate) {
    dnnl::post_ops post;
    post.append_sum(1.0f);
    attributes.set_post_ops(post);
  }
#if DNNL_VERSION_MAJOR >= 3
  const auto chosen = g.bias ? dnnl::matmul::primitive_desc(engine(), a, b, bias, c, attributes)
                             : dnnl::matmul::primitive_desc(engine(), a, b, c, attributes);
#else
  const auto description = g.bias ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
  const dnnl::matmul::primitive_desc chosen(description, attributes, engine());
#endif
  auto unbound = [](const dnnl::memory::desc& desc) {
    return dnnl::memory(desc, engine(), DNNL_MEMORY_NONE);
  };
  return {dnnl::matmul(chosen),
          unbound(a),
          unbound(b),
          unbound(bias),
          unbound(c),
          unbound(chosen.scratchpad_desc()),
          int64_t(chosen.scratchpad_desc().get_size())};
}

// Making a primitive costs about a millisecond, so each shape is made once. The handles of a plan
// are set for each call, hence one cache a thread.
Plan& plan_of(const Gemm& g) {
  thread_local std::map<Gemm, Plan> plans;
  constexpr size_t kMost = 512;  // text batches bring ever new row counts
  auto found = plans.find(g);
  if (found == plans.end()) {
    if (plans.size() >= kMost) plans.clear();
    found = plans.emplace(g, make_plan(g)).first;
  }
  return found->second;
}

}  // namespace

void gemm(Stream& stream, const Gemm& g, void* c, const void* a, const void* b, const void* bias) {
  if (g.m == 0 || g.n == 0) return;
  if (g.k == 0) return gemm_own(g, c, a, b, bias);  // which oneDNN does not know
  Plan& plan = plan_of(g);
  plan.a.set_data_handle(const_cast<void*>(a));
  plan.b.set_data_handle(const_cast<void*>(b));
  plan.c.set_data_handle(c);
  if (g.bias) plan.bias.set_data_handle(const_cast<void*>(bias));
  plan.scratch.set_data_handle(stream.workspace().reserve_bytes(plan.scratch_bytes));
  std::unordered_map<int, dnnl::memory> operands{{DNNL_ARG_SRC, plan.a},
                                                 {DNNL_ARG_WEIGHTS, plan.b},
                                                 {DNNL_ARG_DST, plan.c},
                                                 {DNNL_ARG_SCRATCHPAD, plan.scratch}};
  if (g.bias) operands.emplace(DNNL_ARG_BIAS, plan.bias);
  plan.primitive.execute(dnnl_stream(), operands);
  dnnl_stream().wait();
}

}  // namespace laclip::cpu

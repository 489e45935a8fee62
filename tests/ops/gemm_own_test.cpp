// The CPU's product without a library (kernels/cpu/gemm_own.h).
#include "kernels/cpu/gemm_own.h"

#include <omp.h>

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

using cpu::Gemm, cpu::Layout;
constexpr auto plain = Layout::plain, transposed = Layout::transposed;

struct Product {
  Gemm g;
  Guarded a, b, bias, c;

  explicit Product(const Gemm& shape)
      : g(shape),
        a({g.m * g.k}, g.type),
        b({g.k * g.n}, g.type),
        bias({g.n}, g.type),
        c({g.m * g.n}, g.c_type) {
    uint64_t seed = 1;
    for (Guarded* operand : {&a, &b, &bias, &c})
      operand->store(random_normal(operand->tensor.elements(), seed++));
  }
  Doubles want() const {
    const Doubles left = a.load(), right = b.load(), add = bias.load();
    Doubles sums = c.load();
    for (int64_t i = 0; i < g.m; ++i)
      for (int64_t j = 0; j < g.n; ++j) {
        double sum = g.bias ? add[size_t(j)] : 0;
        for (int64_t k = 0; k < g.k; ++k)
          sum += left[size_t(g.a == plain ? i * g.k + k : k * g.m + i)] *
                 right[size_t(g.b == plain ? k * g.n + j : j * g.k + k)];
        double& to = sums[size_t(i * g.n + j)];
        to = g.accumulate ? to + sum : sum;
      }
    return sums;
  }
  void run() {
    cpu::gemm_own(g, c.tensor.data, a.tensor.data, b.tensor.data,
                  g.bias ? bias.tensor.data : nullptr);
  }
};

TEST(GemmOwn, EveryLayoutTypeAndEpilogue) {
  for (DType type : {DType::f32, DType::bf16})
    for (DType c_type : {DType::f32, DType::bf16})
      for (Layout a : {plain, transposed})
        for (Layout b : {plain, transposed})
          for (bool bias : {false, true})
            for (bool accumulate : {false, true})
              for (auto [m, n, k] :
                   {std::array<int64_t, 3>{1, 1, 1}, {101, 33, 67}, {7, 300, 5}, {6, 32, 0}}) {
                Product product({m, n, k, a, b, type, c_type, bias, accumulate});
                const Doubles want = product.want();
                product.run();
                EXPECT_LE(relative_error(product.c.load(), want), value_tolerance(c_type))
                    << m << ' ' << n << ' ' << k << ' ' << name_of(type) << ' ' << name_of(c_type);
                for (const Guarded* operand : {&product.a, &product.b, &product.bias, &product.c})
                  EXPECT_TRUE(operand->guards_intact());
              }
}

TEST(GemmOwn, ARowDependsNeitherOnOthersNorOnThreads) {
  const Gemm g{200, 70, 90, plain, transposed, DType::f32, DType::f32};
  Product all(g);
  all.run();
  const std::string want = all.c.bits();
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  all.run();
  omp_set_num_threads(threads);
  EXPECT_TRUE(all.c.bits() == want);
  for (int64_t first : {0, 1, 95, 199}) {
    float row[70];
    const auto* a = all.a.tensor.as<float>() + first * g.k;
    cpu::gemm_own({1, g.n, g.k, plain, transposed}, row, a, all.b.tensor.data);
    EXPECT_EQ(std::memcmp(row, want.data() + first * g.n * 4, sizeof row), 0) << first;
  }
}

}  // namespace
}  // namespace laclip::test

// The CPU's GEMM (kernels/cpu/gemm.h), at the level of this process.
#include "kernels/cpu/gemm.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

using cpu::Gemm, cpu::GemmOperands, cpu::Layout;
constexpr auto plain = Layout::plain, transposed = Layout::transposed;

enum class Then { store, activate, activate_only, slope };

struct Case {
  Gemm g;
  bool bias = false, residual = false;
  Then then = Then::store;
  Guarded a, b, add, c, other;

  explicit Case(const Gemm& shape, bool with_bias = false, bool with_residual = false,
                Then and_then = Then::store)
      : g(shape),
        bias(with_bias),
        residual(with_residual),
        then(and_then),
        a({g.m * g.k}, g.type),
        b({g.k * g.n}, g.type),
        add({g.n}, g.type),
        c({g.m * g.n}, g.c_type),
        other({g.m * g.n}, g.c_type) {
    uint64_t seed = 1;
    for (Guarded* operand : {&a, &b, &add, &c, &other})
      operand->store(random_normal(operand->tensor.elements(), seed++));
  }

  void run(Stream& stream) {
    GemmOperands o{.c = c.tensor.data, .a = a.tensor.data, .b = b.tensor.data};
    if (bias) o.bias = add.tensor.data;
    if (residual) o.residual = then == Then::store ? c.tensor.data : other.tensor.data;
    if (then == Then::activate_only) o.c = nullptr;
    if (then == Then::activate || then == Then::activate_only) o.activated = other.tensor.data;
    if (then == Then::slope) o.slope_of = other.tensor.data;
    o.kind = Activation::quick_gelu;
    cpu::gemm.get()(stream, g, o);
  }

  // What run() leaves in c, and in `other`.
  std::pair<Doubles, Doubles> want() const {
    const Doubles left = a.load(), right = b.load(), adds = add.load(), given = other.load();
    Doubles sums = c.load(), others = given;
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    for (int64_t i = 0; i < g.m; ++i)
      for (int64_t j = 0; j < g.n; ++j) {
        double& to = sums[size_t(i * g.n + j)];
        double& beside = others[size_t(i * g.n + j)];
        double sum = bias ? adds[size_t(j)] : 0;
        for (int64_t k = 0; k < g.k; ++k)
          sum += left[size_t(g.a == plain ? i * g.k + k : k * g.m + i)] *
                 right[size_t(g.b == plain ? k * g.n + j : j * g.k + k)];
        if (residual) sum += then == Then::store ? to : beside;
        const double s = sigmoid(1.702 * (then == Then::slope ? beside : sum));
        if (then == Then::slope) sum *= s * (1 + 1.702 * beside * (1 - s));
        if (then == Then::activate || then == Then::activate_only) beside = sum * s;
        if (then != Then::activate_only) to = sum;
      }
    return {sums, others};
  }

  void expect_right() {
    Stream stream;
    const auto [sums, others] = want();
    run(stream);
    // An activation of a value that is rounded first differs by one more rounding.
    const double tolerance = value_tolerance(g.c_type) * (then == Then::store ? 1 : 2);
    const std::string what =
        fmt::format("{}x{}x{} {} {} {}{} bias {} residual {} then {}", g.m, g.n, g.k,
                    name_of(g.type), name_of(g.c_type), g.a == plain ? "N" : "T",
                    g.b == plain ? "N" : "T", bias, residual, int(then));
    EXPECT_LE(relative_error(c.load(), sums), tolerance) << what;
    EXPECT_LE(relative_error(other.load(), others), tolerance) << what;
    for (const Guarded* operand : {&a, &b, &add, &c, &other})
      EXPECT_TRUE(operand->guards_intact()) << what;
  }
};

// Edges of tiles in each direction, K of less and more than a block, nothing along k.
const std::vector<std::array<int64_t, 3>> kShapes = {{1, 1, 1},     {101, 33, 67}, {7, 300, 5},
                                                     {6, 32, 0},    {2, 129, 2},   {110, 70, 1300},
                                                     {33, 31, 1026}};

TEST(CpuGemm, EveryLayoutAndType) {
  for (DType type : {DType::f32, DType::bf16})
    for (DType c_type : {DType::f32, DType::bf16})
      for (Layout a : {plain, transposed})
        for (Layout b : {plain, transposed})
          for (auto [m, n, k] : kShapes) Case({m, n, k, a, b, type, c_type}).expect_right();
}

TEST(CpuGemm, EveryEpilogue) {
  for (DType type : {DType::f32, DType::bf16})
    for (DType c_type : {DType::f32, DType::bf16})
      for (bool bias : {false, true})
        for (bool residual : {false, true})
          for (Then then : {Then::store, Then::activate, Then::activate_only, Then::slope}) {
            if (residual && then != Then::store) continue;  // no op has both
            for (auto [m, n, k] : {kShapes[1], std::array<int64_t, 3>{30, 70, 800}})
              Case({m, n, k, plain, transposed, type, c_type}, bias, residual, then).expect_right();
          }
}

TEST(CpuGemm, ManyColumnsGoByChunks) {
  Case({5, 5000, 700, plain, plain}).expect_right();
  Case({14, 2100, 2100, plain, transposed}).expect_right();
}

// The bits of a row: alone, among few and among many, with its weights packed for the call or kept, on one thread
// and on three.
TEST(CpuGemm, ARowDependsNeitherOnOthersNorOnThreads) {
  for (DType type : {DType::f32, DType::bf16})
    for (int64_t k : {90, 1030}) {
      const Gemm g{200,        300,  k,         plain,
                   transposed, type, DType::f32};  // columns of more than four panels
      Case all(g);
      Stream stream;
      all.run(stream);
      const std::string want = all.c.bits();
      const int threads = thread_count();
      for (int count : {1, 3}) {
        set_thread_count(count);
        all.run(stream);
        EXPECT_TRUE(all.c.bits() == want) << count << " threads";
      }
      set_thread_count(threads);
      Stream keeps;
      keeps.constant_weights = true;
      for (int times = 0; times < 2; ++times) {
        all.c.store(random_normal(g.m * g.n, 9));
        all.run(keeps);
        EXPECT_TRUE(all.c.bits() == want) << "kept weights";
      }
      for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 31, 32, 33, 50})
        for (int64_t first : {int64_t{0}, int64_t{95}, 200 - rows}) {
          std::vector<float> few(size_t(rows * g.n));
          const GemmOperands o{.c = few.data(),
                               .a = static_cast<const std::byte*>(all.a.tensor.data) +
                                    first * g.k * size_of(type),
                               .b = all.b.tensor.data};
          for (Stream* each : {&stream, &keeps}) {
            cpu::gemm.get()(*each, {rows, g.n, g.k, plain, transposed, type}, o);
            EXPECT_EQ(std::memcmp(few.data(), want.data() + first * g.n * 4, few.size() * 4), 0)
                << name_of(type) << ' ' << rows << " rows from " << first;
          }
        }
    }
}

TEST(CpuGemm, FewRowsOfManyColumns) {
  for (DType type : {DType::f32, DType::bf16})
    for (Layout b : {plain, transposed})
      for (int64_t m : {1, 2, 5, 13}) Case({m, 300, 130, plain, b, type, type}).expect_right();
}

// Both layouts of b, an activation on top, results in bf16, and a second weight of the same shape.
TEST(CpuGemm, KeptWeightsGiveTheSameBits) {
  for (DType type : {DType::f32, DType::bf16})
    for (DType c_type : {DType::f32, DType::bf16})
      for (Layout b : {plain, transposed})
        for (int64_t m : {1, 40}) {
          Stream stream, keeps;
          keeps.constant_weights = true;
          const Gemm g{m, 100, 70, plain, b, type, c_type};
          Case first(g, true, false, Then::activate), second(g, true, false, Then::activate);
          second.b.store(random_normal(g.k * g.n, 77));
          for (Case* each : {&first, &second, &first}) {
            each->run(stream);
            const std::string c = each->c.bits(), activated = each->other.bits();
            each->c.poison(0);
            each->other.poison(0);
            each->run(keeps);
            EXPECT_TRUE(each->c.bits() == c) << name_of(type) << ' ' << m;
            EXPECT_TRUE(each->other.bits() == activated) << name_of(type) << ' ' << m;
          }
        }
}

TEST(CpuGemm, NothingInADirection) {
  for (DType type : {DType::f32, DType::bf16})
    for (auto [m, n, k] : {std::array<int64_t, 3>{0, 5, 4}, {5, 0, 4}, {9, 40, 0}})
      for (bool bias : {false, true})
        for (bool residual : {false, true})
          Case({m, n, k, plain, transposed, type, type}, bias, residual).expect_right();
}

TEST(CpuGemm, WhatIsNotFiniteStaysInItsRow) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (DType type : {DType::f32, DType::bf16})
    for (double bad : {infinity, -infinity, std::nan("")}) {
      const Gemm g{40, 70, 90, plain, transposed, type, DType::f32};
      Case clean(g), broken(g);
      Doubles a = broken.a.load();
      a[size_t(17 * g.k + 33)] = bad;
      broken.a.store(a);
      Stream stream;
      clean.run(stream);
      broken.run(stream);
      const Doubles want = clean.c.load(), got = broken.c.load();
      for (size_t i = 0; i < want.size(); ++i) {
        if (int64_t(i) / g.n == 17)
          EXPECT_FALSE(std::isfinite(got[i])) << i;
        else
          EXPECT_EQ(got[i], want[i]) << i;
      }
    }
}

}  // namespace
}  // namespace laclip::test

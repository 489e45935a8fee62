#include "kernels/ops/linear.h"

#include "kernels/cuda/gemm.h"
#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

const std::vector<std::array<int64_t, 3>> kProducts{{1, 1, 1},
                                                    {3, 17, 5},
                                                    {65, 33, 130},
                                                    {64, 48, 16}};

const auto linear_reference = [](auto& t) {
  const int64_t N = t('N'), O = t('O'), C = t('C');
  for (int64_t n = 0; n < N; ++n)
    for (int64_t o = 0; o < O; ++o) {
      auto sum = t["b"][size_t(o)];
      for (int64_t c = 0; c < C; ++c) sum += t["x"][size_t(n * C + c)] * t["w"][size_t(o * C + c)];
      t["y"][size_t(n * O + o)] = sum;
    }
};

TEST(Linear, Forward) {
  for (auto [N, O, C] : kProducts)
    check_op(linear_forward, {{'N', N}, {'O', O}, {'C', C}}, linear_reference);
}

TEST(Linear, ForwardWithoutBias) {
  check_op(linear_forward, {{'N', 5}, {'O', 6}, {'C', 7}},
           [](auto& t) {
             for (auto& b : t["b"]) b = 0;
             linear_reference(t);
           },
           std::tuple{}, {.absent = {"b"}});
}

TEST(Linear, ForwardToFp32) {  // logits
  check_op(linear_forward, {{'N', 5}, {'O', 6}, {'C', 70}}, linear_reference, std::tuple{},
           {.types = {{"y", DType::f32}}});
}

TEST(Linear, Gradients) {
  for (auto [N, O, C] : kProducts) {
    const Sizes sizes{{'N', N}, {'O', O}, {'C', C}};
    check_gradient(linear_forward, linear_backward_input, sizes, linear_reference, std::tuple{},
                   std::tuple{});
    for (const OpInputs& inputs : {OpInputs{}, OpInputs{.absent = {"db"}}})
      check_gradient(linear_forward, linear_backward_weight, sizes, linear_reference, std::tuple{},
                     std::tuple{}, inputs);
  }
}

// Rewriting must not depend on which captions share a batch (docs/numerics.md).
TEST(Linear, ARowDoesNotDependOnTheOthers) {
  for (Device device : devices_of(linear_forward))
    for (DType type : {DType::f32, DType::bf16})
      for (int64_t C : {172, 168}) {  // rows that begin at multiples of 8, of 16 bytes in bf16
        const int64_t N = 70, O = 136;
        Guarded x({N, C}, type, device), w({O, C}, type, device);
        Guarded all({N, O}, DType::f32, device), few({N, O}, DType::f32, device);
        x.store(random_normal(N * C, 1));
        w.store(random_normal(O * C, 2));
        Stream stream(device);
        linear_forward(stream, all.tensor, x.tensor, w.tensor, none);
        stream.synchronize();
        const std::string want = all.bits();
        for (int64_t rows : {1, 2, 3, 16, 33, 64}) {
          linear_forward(stream, few.tensor.rows(0, rows), x.tensor.rows(0, rows), w.tensor, none);
          stream.synchronize();
          EXPECT_EQ(few.bits().compare(0, size_t(rows * O) * 4, want, 0, size_t(rows * O) * 4), 0)
              << name_of(device) << ' ' << name_of(type) << ' ' << C << ' ' << rows;
        }
      }
}

const auto project_reference = [](auto& t) {
  const int64_t N = t('N'), O = t('O'), C = t('C');
  for (auto& y : t["y"]) y = 0;
  for (int64_t n = 0; n < N; ++n)
    for (int64_t c = 0; c < C; ++c)
      for (int64_t o = 0; o < O; ++o)
        t["y"][size_t(n * O + o)] += t["x"][size_t(n * C + c)] * t["w"][size_t(c * O + o)];
};

TEST(Project, ValueAndGradients) {
  for (auto [N, O, C] : kProducts) {
    const Sizes sizes{{'N', N}, {'O', O}, {'C', C}};
    check_op(project_forward, sizes, project_reference);
    check_gradient(project_forward, project_backward_input, sizes, project_reference, std::tuple{},
                   std::tuple{});
    check_gradient(project_forward, project_backward_weight, sizes, project_reference, std::tuple{},
                   std::tuple{});
  }
}

// ---- the GPU's matrix product (kernels/cuda/gemm.h), every tile by itself

using cuda::Gemm, cuda::GemmPlan, cuda::GemmTile, cuda::Layout;
constexpr auto plain = Layout::plain, transposed = Layout::transposed;

class CudaGemm : public testing::Test {
 protected:
  struct Result {
    Doubles c;
    std::string bits;
  };
  struct Extras {
    bool bias = false, row_sums = false;
    int64_t skip = 0;  // elements by which c begins later than at a multiple of 16 bytes
  };

  void SetUp() override {
    const char* only = std::getenv("LACLIP_TEST_DEVICE");
    if (only && std::string_view(only) != "cuda") GTEST_SKIP();
  }

  static Doubles at_plain(const Guarded& stored, Layout layout, int64_t rows, int64_t columns) {
    const Doubles values = stored.load();
    Doubles matrix(values.size());
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        matrix[size_t(i * columns + j)] =
            values[size_t(layout == plain ? i * columns + j : j * rows + i)];
    return matrix;
  }

  // Runs a product of random matrices by a plan, and compares with sums in double.
  static Result run(const Gemm& g, GemmPlan plan, Extras extras) {
    const Device device = Device::cuda;
    Guarded a({g.m * g.k}, g.type, device), b({g.k * g.n}, g.type, device);
    Guarded bias({g.n}, g.type, device), row_sums({g.m}, DType::f32, device);
    Guarded c({g.m * g.n + extras.skip}, g.c_type, device);
    uint64_t seed = 1;
    for (Guarded* operand : {&a, &b, &bias, &row_sums, &c})
      operand->store(random_normal(operand->tensor.elements(), seed++));
    const Doubles left = at_plain(a, g.a, g.m, g.k), right = at_plain(b, g.b, g.k, g.n);
    Doubles want_c = c.load(), want_sums = row_sums.load();
    for (int64_t i = 0; i < g.m; ++i) {
      for (int64_t j = 0; j < g.n; ++j) {
        double sum = extras.bias ? bias.load()[size_t(j)] : 0;
        for (int64_t k = 0; k < g.k; ++k)
          sum += left[size_t(i * g.k + k)] * right[size_t(k * g.n + j)];
        double& to = want_c[size_t(extras.skip + i * g.n + j)];
        to = g.accumulate ? to + sum : sum;
      }
      if (!extras.row_sums) continue;
      if (!g.accumulate) want_sums[size_t(i)] = 0;
      for (int64_t k = 0; k < g.k; ++k) want_sums[size_t(i)] += left[size_t(i * g.k + k)];
    }
    Stream stream(device);
    const std::vector<float> used(size_t(1) << 16, NAN);  // scratch memory is not zero
    copy(stream,
         {stream.scratch().reserve<float>(int64_t(used.size())), {1 << 16}, DType::f32, device},
         tensor_of(used));
    const ProveKernels prove(device);
    cuda::gemm_as(stream, g,
                  {static_cast<std::byte*>(c.tensor.data) + extras.skip * size_of(g.c_type),
                   a.tensor.data, b.tensor.data, extras.bias ? bias.tensor.data : nullptr,
                   extras.row_sums ? row_sums.tensor.as<float>() : nullptr},
                  plan);
    stream.synchronize();
    for (const Guarded* operand : {&a, &b, &bias, &row_sums, &c})
      EXPECT_TRUE(operand->guards_intact());
    EXPECT_LE(relative_error(c.load(), want_c), value_tolerance(g.c_type));
    EXPECT_LE(relative_error(row_sums.load(), want_sums), value_tolerance(DType::f32));
    return {c.load(), c.bits()};
  }
};

std::string text(const Gemm& g, GemmPlan plan) {
  return fmt::format("{}{} [{} {} {}] {} to {}, tile {}, {} splits", g.a == plain ? "a" : "aᵀ",
                     g.b == plain ? "b" : "bᵀ", g.m, g.n, g.k, name_of(g.type), name_of(g.c_type),
                     int(plan.tile), plan.splits);
}

// Every tile in every layout, over the edges of tiles and of K, whose lines are multiples of 16
// bytes. All tiles give the same bits.
TEST_F(CudaGemm, EveryTileGivesTheSameBits) {
  for (DType type : {DType::f32, DType::bf16})
    for (Layout a : {plain, transposed})
      for (Layout b : {plain, transposed}) {
        std::string first;
        for (GemmTile tile : {GemmTile::small, GemmTile::large, GemmTile::skinny}) {
          if (tile == GemmTile::skinny && (type == DType::f32 || a == transposed)) continue;
          const Gemm g{136, 72, 136, a, b, type, type};
          SCOPED_TRACE(text(g, {tile}));
          const Result result = run(g, {tile}, {.bias = true});
          if (first.empty()) first = result.bits;
          EXPECT_TRUE(result.bits == first);
        }
      }
}

// What reads and writes element by element: odd widths, a c that begins anywhere; fp32 from bf16.
TEST_F(CudaGemm, UnalignedMatrices) {
  for (DType type : {DType::f32, DType::bf16})
    for (DType c_type : {DType::f32, DType::bf16})
      for (Layout a : {plain, transposed})
        for (Layout b : {plain, transposed}) {
          const Gemm g{67, 70, 69, a, b, type, c_type};
          SCOPED_TRACE(text(g, {}));
          run(g, {}, {.bias = true, .skip = 1});
        }
  for (DType c_type : {DType::f32, DType::bf16})  // c alone is
    for (GemmTile tile : {GemmTile::small, GemmTile::large, GemmTile::skinny}) {
      const Gemm g{24, 40, 72, plain, transposed, DType::bf16, c_type};
      SCOPED_TRACE(text(g, {tile}));
      const Doubles odd = run(g, {tile}, {.skip = 1}).c, even = run(g, {tile}, {}).c;
      EXPECT_TRUE(std::equal(even.begin(), even.end(), odd.begin() + 1));
    }
}

// Gradients of parameters: c and the row sums are added to, K is split over blocks.
TEST_F(CudaGemm, SplitSums) {
  for (DType type : {DType::f32, DType::bf16})
    for (GemmTile tile : {GemmTile::small, GemmTile::large})
      for (int splits : {1, 3})
        for (bool aligned : {true, false}) {
          if (!aligned && tile == GemmTile::large) continue;
          const Gemm g{aligned ? 136 : 67,
                       aligned ? 72 : 35,
                       136,
                       transposed,
                       plain,
                       type,
                       DType::f32,
                       true};
          SCOPED_TRACE(text(g, {tile, splits}));
          run(g, {tile, splits}, {.row_sums = true});
        }
}

TEST_F(CudaGemm, NothingToSum) {
  for (DType type : {DType::f32, DType::bf16}) {
    run({5, 8, 0, plain, transposed, type, type}, {}, {.bias = true});
    run({5, 8, 0, transposed, plain, type, DType::f32, true}, {GemmTile::small, 4},
        {.row_sums = true});
  }
}

TEST_F(CudaGemm, PlansFitTheProduct) {
  const auto plan = [](const Gemm& g) {
    return cuda::plan_gemm(g, {nullptr, nullptr, nullptr});  // null is a multiple of 16
  };
  const DType type = DType::bf16;
  const auto tile = [&](int64_t m, int64_t n, int64_t k) {
    return plan({m, n, k, plain, transposed, type, type}).tile;
  };
  EXPECT_EQ(tile(1, 4096, 4096), GemmTile::skinny);  // decoding
  EXPECT_EQ(tile(8, 32000, 4096), GemmTile::skinny);
  EXPECT_EQ(tile(256, 768, 768), GemmTile::small);
  EXPECT_EQ(tile(12800, 3072, 768), GemmTile::large);
  EXPECT_EQ(tile(12800, 3072, 769), GemmTile::small);  // unaligned
  EXPECT_EQ(plan({64, 64, 40000, plain, transposed, type, type}).splits, 1);
  const GemmPlan gradient = plan({768, 768, 40000, transposed, plain, type, DType::f32, true});
  EXPECT_EQ(gradient.tile, GemmTile::large);
  EXPECT_GT(gradient.splits, 3);  // 36 tiles for 132 processors
  EXPECT_EQ(plan({768, 768, 64, transposed, plain, type, DType::f32, true}).splits, 1);
}

TEST_F(CudaGemm, RefusesImpossiblePlans) {
  Stream stream(Device::cuda);
  const auto refused = [&](const Gemm& g, GemmPlan plan, float* row_sums = nullptr) {
    EXPECT_THROW(cuda::gemm_as(stream, g, {nullptr, nullptr, nullptr, nullptr, row_sums}, plan),
                 Error);
  };
  float sum;
  constexpr DType half = DType::bf16, full = DType::f32;
  refused({8, 8, 8, transposed, plain, half, full}, {GemmTile::skinny});
  refused({8, 8, 8, plain, plain, full, full}, {GemmTile::skinny});
  refused({9, 9, 9, plain, plain, half, full}, {GemmTile::large});
  refused({8, 8, 8, plain, plain, half, full}, {GemmTile::small}, &sum);
  refused({8, 8, 8, plain, plain, half, half, true}, {GemmTile::small});
  refused({8, 8, 128, plain, plain, half, full}, {GemmTile::small, 2});
}

}  // namespace
}  // namespace laclip::test

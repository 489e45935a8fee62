// The GPU's matrix product (kernels/cuda/gemm.h), every tile by itself, and cuBLASLt's algorithms.
#include "kernels/cuda/gemm.h"

#include <gmock/gmock.h>

#include "kernels/core/cuda_runtime.h"
#include "kernels/core/graphs.h"
#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/gemm_way.h"
#include "tests/harness/op_case.h"
#include "tests/ops/activation_reference.h"

namespace laclip::test {
namespace {

using cuda::Epilogue, cuda::Gemm, cuda::GemmAlgorithm, cuda::GemmPlan, cuda::GemmTile, cuda::Layout;
using Maker = GemmAlgorithm::Maker;
constexpr auto plain = Layout::plain, transposed = Layout::transposed;

class CudaGemm : public testing::Test {
 protected:
  struct Result {
    Doubles c;
    std::string bits;
  };
  struct Extras {
    bool bias = false, row_sums = false;
    bool beside = false;       // skip; a slope has its u and an activation its kept in any case
    bool by_cublaslt = false;  // by each of cuBLASLt's algorithms and not by the plan
    int64_t offset = 0;        // elements by which c begins later than at a multiple of 16 bytes
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
    Guarded c({g.m * g.n + extras.offset}, g.c_type, device);
    Guarded beside({g.m * g.n}, g.c_type, device), kept({g.m * g.n}, g.c_type, device);
    const bool slope = g.epilogue == Epilogue::slope, active = g.epilogue == Epilogue::activation;
    uint64_t seed = 1;
    for (Guarded* operand : {&a, &b, &bias, &row_sums, &c, &beside, &kept})
      operand->store(random_normal(operand->tensor.elements(), seed++));
    const Doubles left = at_plain(a, g.a, g.m, g.k), right = at_plain(b, g.b, g.k, g.n);
    const Doubles other = beside.load();
    Doubles want_c = c.load(), want_sums = row_sums.load(), want_kept = kept.load();
    for (int64_t i = 0; i < g.m; ++i) {
      for (int64_t j = 0; j < g.n; ++j) {
        double sum = extras.bias ? bias.load()[size_t(j)] : 0;
        for (int64_t k = 0; k < g.k; ++k)
          sum += left[size_t(i * g.k + k)] * right[size_t(k * g.n + j)];
        const auto at = size_t(i * g.n + j);
        if (extras.beside) sum += other[at];
        if (slope) sum *= slope_reference(other[at], g.kind);
        if (active) {
          want_kept[at] = sum;
          sum = activation_reference(sum, g.kind);
        }
        double& to = want_c[size_t(extras.offset) + at];
        to = g.accumulate ? to + sum : sum;
      }
      if (!extras.row_sums) continue;
      if (!g.accumulate) want_sums[size_t(i)] = 0;
      for (int64_t k = 0; k < g.k; ++k) want_sums[size_t(i)] += left[size_t(i * g.k + k)];
    }
    Stream stream(device);
    const std::vector<float> used(size_t(1) << 16, NAN);  // working memory is not zero
    copy(stream,
         {stream.workspace().reserve<float>(int64_t(used.size())), {1 << 16}, DType::f32, device},
         tensor_of(used));
    const ProveKernels prove(device);
    const cuda::GemmOperands operands{.c = static_cast<std::byte*>(c.tensor.data) +
                                           extras.offset * size_of(g.c_type),
                                      .a = a.tensor.data,
                                      .b = b.tensor.data,
                                      .bias = extras.bias ? bias.tensor.data : nullptr,
                                      .skip = extras.beside ? beside.tensor.data : nullptr,
                                      .u = slope ? beside.tensor.data : nullptr,
                                      .kept = active ? kept.tensor.data : nullptr,
                                      .row_sums =
                                          extras.row_sums ? row_sums.tensor.as<float>() : nullptr};
    std::vector<GemmAlgorithm> algorithms{GemmAlgorithm{}};
    if (extras.by_cublaslt) algorithms = cuda::library_algorithms(g, operands);
    const std::string c_before = c.bits(), sums_before = row_sums.bits();
    for (const GemmAlgorithm& algorithm : algorithms) {
      SCOPED_TRACE(algorithm.text());
      c.set_bits(c_before);
      row_sums.set_bits(sums_before);
      if (extras.by_cublaslt)
        cuda::gemm_by(stream, g, operands, algorithm);
      else
        cuda::gemm_as(stream, g, operands, plan);
      stream.synchronize();
      for (const Guarded* operand : {&a, &b, &bias, &row_sums, &c, &beside, &kept})
        EXPECT_TRUE(operand->guards_intact());
      EXPECT_LE(relative_error(kept.load(), want_kept), value_tolerance(g.c_type));
      EXPECT_LE(relative_error(c.load(), want_c), value_tolerance(g.c_type));
      EXPECT_LE(relative_error(row_sums.load(), want_sums), value_tolerance(DType::f32));
    }
    return algorithms.empty() ? Result{} : Result{c.load(), c.bits()};
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
          run(g, {}, {.bias = true, .offset = 1});
        }
  for (DType c_type : {DType::f32, DType::bf16})  // c alone is
    for (GemmTile tile : {GemmTile::small, GemmTile::large, GemmTile::skinny}) {
      const Gemm g{24, 40, 72, plain, transposed, DType::bf16, c_type};
      SCOPED_TRACE(text(g, {tile}));
      const Doubles odd = run(g, {tile}, {.offset = 1}).c, even = run(g, {tile}, {}).c;
      EXPECT_TRUE(std::equal(even.begin(), even.end(), odd.begin() + 1));
    }
}

// What lies beside a sum, read and written as packs and element by element.
TEST_F(CudaGemm, Epilogues) {
  for (DType type : {DType::f32, DType::bf16})
    for (GemmTile tile : {GemmTile::small, GemmTile::large, GemmTile::skinny})
      for (int64_t offset : {0, 1}) {
        if (tile == GemmTile::skinny && type == DType::f32) continue;
        Gemm g{136, 72, 72, plain, transposed, type, type};
        SCOPED_TRACE(text(g, {tile}));
        run(g, {tile}, {.bias = true, .beside = true, .offset = offset});
        for (Activation kind : {Activation::gelu, Activation::quick_gelu}) {
          g = {136, 72, 72, plain, transposed, type, type, false, Epilogue::activation, kind};
          run(g, {tile}, {.bias = true, .offset = offset});
          g = {136, 72, 72, plain, plain, type, type, false, Epilogue::slope, kind};
          run(g, {tile}, {.offset = offset});
        }
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

// What is asked of cuBLASLt, in every layout: on a GPU the library answers, on the host a stand-in.
TEST_F(CudaGemm, ByTheLibrary) {
  if (cuda::cublaslt_version() == 0) GTEST_SKIP() << "there is no cuBLASLt";
  for (DType type : {DType::f32, DType::bf16})
    for (int64_t width : {72, 67}) {
      const auto product = [&](Gemm g, Extras extras) {
        SCOPED_TRACE(text(g, {}));
        extras.by_cublaslt = true;
        const Result result = run(g, {}, extras);
        // What the library takes is its own affair, but for plain aligned products in bf16.
        const bool certain = width == 72 && type == DType::bf16 && !extras.offset;
        EXPECT_TRUE(!certain || !result.bits.empty());
      };
      for (Layout a : {plain, transposed})
        for (Layout b : {plain, transposed})
          product({40, width, 136, a, b, type, type}, {.bias = true, .beside = true});
      product({40, width, 136, plain, transposed, type, DType::f32}, {.offset = 1});
      product({40, width, 136, transposed, plain, type, DType::f32, true}, {.row_sums = true});
      product({40, width, 136, transposed, plain, type, DType::f32}, {.row_sums = true});
      const auto kind = Activation::quick_gelu;
      product({40, width, 136, plain, transposed, type, type, false, Epilogue::activation, kind},
              {.bias = true});
      product({40, width, 136, plain, plain, type, type, false, Epilogue::slope, kind}, {});
    }
}

TEST_F(CudaGemm, ByTheLibraryInAGraph) {
  if (cuda::cublaslt_version() == 0) GTEST_SKIP() << "there is no cuBLASLt";
  const Gemm g{16, 16, 16, plain, transposed, DType::bf16, DType::bf16};
  Guarded a({16, 16}, DType::bf16, Device::cuda), b({16, 16}, DType::bf16, Device::cuda),
      c({16, 16}, DType::bf16, Device::cuda);
  b.store(random_normal(16 * 16, 2));
  Stream stream(Device::cuda);
  Graphs graphs(stream);
  for (uint64_t time = 1; time <= 4; ++time) {
    a.store(random_normal(16 * 16, 2 + time));
    const cuda::GemmOperands operands{c.tensor.data, a.tensor.data, b.tensor.data};
    const auto algorithms = cuda::library_algorithms(g, operands);
    ASSERT_FALSE(algorithms.empty());
    graphs.run({}, [&] { cuda::gemm_by(stream, g, operands, algorithms[0]); });
    stream.synchronize();
    const std::string got = c.bits();
    cuda::gemm_by(stream, g, operands, algorithms[0]);
    stream.synchronize();
    EXPECT_TRUE(got == c.bits()) << "time " << time;
  }
  EXPECT_EQ(graphs.launches(), 2);  // the first call makes room for the library, the second sees it
}

// Many rows in several parts, a strip that is not full, and rows that are not read by packs.
TEST_F(CudaGemm, ColumnSums) {
  for (DType type : {DType::f32, DType::bf16})
    for (int64_t width : {72, 67, 300})
      for (int64_t rows : {1, 7, 1000}) {
        SCOPED_TRACE(fmt::format("{} {}x{}", name_of(type), rows, width));
        Guarded x({rows * width}, type, Device::cuda), sums({width}, DType::f32, Device::cuda),
            room({1 << 18}, DType::f32, Device::cuda);
        x.store(random_normal(rows * width, 1));
        sums.store(random_normal(width, 2));
        const Doubles values = x.load();
        Doubles want = sums.load();
        for (size_t i = 0; i < values.size(); ++i) want[i % size_t(width)] += values[i];
        Stream stream(Device::cuda);
        const ProveKernels prove(Device::cuda);
        cuda::add_column_sums(stream, sums.tensor.as<float>(), x.tensor.data, {rows, width}, type,
                              room.tensor.as<float>(), room.tensor.bytes());
        stream.synchronize();
        EXPECT_LE(relative_error(sums.load(), want), value_tolerance(DType::f32));
        EXPECT_TRUE(x.guards_intact() && sums.guards_intact() && room.guards_intact());
      }
}

// The bias gradient apart from the library's epilogue is another way to the same sums.
TEST_F(CudaGemm, TheLibraryOffersRowSumsTwice) {
  if (cuda::cublaslt_version() == 0) GTEST_SKIP() << "there is no cuBLASLt";
  Guarded a({64, 32}, DType::bf16, Device::cuda), b({64, 16}, DType::bf16, Device::cuda),
      c({32, 16}, DType::f32, Device::cuda), sums({32}, DType::f32, Device::cuda);
  const cuda::GemmOperands operands{.c = c.tensor.data,
                                    .a = a.tensor.data,
                                    .b = b.tensor.data,
                                    .row_sums = sums.tensor.as<float>()};
  const auto all =
      cuda::library_algorithms(cuda::adding(transposed, 32, 16, 64, DType::bf16), operands);
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.front().maker, Maker::library_then_sums);
  if (cuda_is_a_gpu()) return;  // NVIDIA's need not have the epilogue for these types
  EXPECT_EQ(all.back().maker, Maker::library);
}

TEST_F(CudaGemm, TellsItsAlgorithm) {
  run({24, 16, 32, plain, transposed, DType::bf16, DType::bf16}, {GemmTile::skinny}, {});
  EXPECT_EQ(cuda::gemm_algorithm(), "built-in 16x32");
  run({24, 16, 192, transposed, plain, DType::bf16, DType::f32, true}, {GemmTile::large, 3}, {});
  EXPECT_EQ(cuda::gemm_algorithm(), "built-in 128x128 in 3 parts of K");
  if (cuda::cublaslt_version() == 0) return;
  run({24, 16, 32, transposed, plain, DType::bf16, DType::f32}, {},
      {.row_sums = true, .by_cublaslt = true});
  EXPECT_THAT(cuda::gemm_algorithm(),
              testing::MatchesRegex(
                  "cuBLASLt [0-9.]+ algorithm [0-9]+, tile [0-9]+, stages [0-9]+.*"));
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
    EXPECT_THROW(cuda::gemm_as(stream, g,
                               {.c = nullptr, .a = nullptr, .b = nullptr, .row_sums = row_sums},
                               plan),
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
  refused({8, 8, 8, plain, plain, half, half, false, Epilogue::activation}, {});
  refused({8, 8, 8, plain, transposed, half, full, false, Epilogue::activation}, {});
  refused({8, 8, 8, plain, plain, half, half, false, Epilogue::slope}, {});  // no u
}

}  // namespace
}  // namespace laclip::test

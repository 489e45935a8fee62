// By which algorithm a GEMM is made (kernels/cuda/gemm_way.h): timing, the file, and what goes wrong.
#include <gmock/gmock.h>

#include "kernels/core/cuda_runtime.h"
#include "kernels/cuda/gemm_way.h"
#ifdef LACLIP_SIMT
#include "kernels/simt/cublaslt.h"
#endif
#include "tests/harness/op_case.h"
#include "tests/harness/reference_data.h"

namespace laclip::test {
namespace {

using cuda::Gemm, cuda::GemmAlgorithm, cuda::Layout;
using Maker = GemmAlgorithm::Maker;
constexpr auto plain = Layout::plain;

const GemmAlgorithm kBuiltIn, kOne{Maker::library, {1, 2, 3, ~uint64_t(0)}},
    kOther{Maker::library_then_sums, {7}};

// One that cannot make the GEMM. NVIDIA's library must not be given bytes that it has not made
// itself: there it is an algorithm of another GEMM, in fp32 with other layouts.
GemmAlgorithm impossible([[maybe_unused]] const cuda::GemmOperands& operands) {
#ifndef LACLIP_SIMT
  const Gemm other{24, 16, 32, Layout::transposed, Layout::transposed, DType::f32, DType::f32};
  const auto all = cuda::library_algorithms(other, operands);
  return all.empty() ? kBuiltIn : all.front();
#else
  return kOne;
#endif
}

TEST(Autotuning, AlgorithmsAreKeptAsText) {
  EXPECT_EQ(kBuiltIn.text(), "built-in");
  EXPECT_THAT(kOne.text(), testing::StartsWith("cuBLASLt 00000000000000010000000000000002"));
  for (const GemmAlgorithm& one : {kBuiltIn, kOne, kOther})
    EXPECT_TRUE(GemmAlgorithm::parse(one.text()) == one) << one.text();
  const std::string text = kOne.text();
  for (const std::string& broken : {text.substr(1), text + "0", text.substr(0, text.size() - 1),
                                    text.substr(0, 40) + "x" + text.substr(41),
                                    std::string("cuBLASLt "), std::string("3"), std::string()})
    EXPECT_FALSE(GemmAlgorithm::parse(broken)) << broken;
}

TEST(Autotuning, IsDoneOnceAndKept) {
  const TemporaryFolder folder;
  const auto file = folder / "cache" / "gemm.json";
  int measured = 0;
  const auto fast = [&] { return ++measured, kOne; };
  for (int run = 0; run < 2; ++run) {
    cuda::AlgorithmFile algorithms(file, "GPU A");
    EXPECT_TRUE(algorithms.algorithm("64x64x64", fast) == kOne);
    EXPECT_TRUE(algorithms.algorithm("64x64x64", fast) == kOne);
  }
  EXPECT_EQ(measured, 1);
}

// What is about another GPU or library, is broken, or comes from a version that kept ranks.
TEST(Autotuning, AnOldOrForeignFileIsRefusedInOneLine) {
  const TemporaryFolder folder;
  const auto file = folder / "gemm.json";
  const auto about = [](const std::string& gpu, const std::string& algorithms) {
    return "{\"about\": \"" + gpu + "\", \"algorithms\": " + algorithms + "}";
  };
  for (const auto& [text, said] : std::map<std::string, std::string>{
           {about("GPU B", "{\"k\": \"built-in\"}"), "is about GPU B, and this is GPU A"},
           {about("GPU A", "7"), "algorithms"},
           {about("GPU A", "{\"k\": 3}"), "algorithms"},
           {about("GPU A", "{\"k\": \"cuBLASLt 12\"}"), "k: \"cuBLASLt 12\" is no algorithm"},
           {"{\"about\": \"GPU A\", \"ways\": {\"k\": 3}}", "'algorithms'"},
           {"{", "gemm.json"}}) {
    SCOPED_TRACE(text);
    write_atomically(file, text);
    testing::internal::CaptureStderr();
    cuda::AlgorithmFile algorithms(file, "GPU A");
    EXPECT_TRUE(algorithms.algorithm("k", [] { return kOne; }) == kOne);
    EXPECT_TRUE(algorithms.algorithm("l", [] { return kOther; }) == kOther);
    const std::string lines = testing::internal::GetCapturedStderr();
    EXPECT_THAT(lines, testing::HasSubstr(said));
    EXPECT_THAT(lines, testing::HasSubstr("GEMMs are timed anew"));
    EXPECT_EQ(lines.find("timed anew"), lines.rfind("timed anew"));
    cuda::AlgorithmFile later(file, "GPU A");
    EXPECT_TRUE(later.algorithm("k", [] { return kBuiltIn; }) == kOne);
    EXPECT_TRUE(later.algorithm("l", [] { return kBuiltIn; }) == kOther);
  }
}

TEST(Autotuning, WhatCannotBeTimedIsNotKept) {
  const TemporaryFolder folder;
  const auto file = folder / "gemm.json";
  int tried = 0;
  const auto fails = [&]() -> std::optional<GemmAlgorithm> { return ++tried, std::nullopt; };
  cuda::AlgorithmFile algorithms(file, "GPU A"), others(file, "GPU A");
  EXPECT_FALSE(algorithms.algorithm("a", fails));
  EXPECT_FALSE(algorithms.algorithm("a", fails));
  EXPECT_EQ(tried, 1);
  EXPECT_TRUE(others.algorithm("b", [] { return kOther; }) == kOther);
  EXPECT_TRUE(algorithms.algorithm("c", [] { return kOne; }) == kOne);  // keeps what the other has
  cuda::AlgorithmFile later(file, "GPU A");
  EXPECT_TRUE(later.algorithm("b", fails) == kOther);
  EXPECT_TRUE(later.algorithm("c", fails) == kOne);
}

TEST(Autotuning, GemmsOfNearbyRowsAreOfOneKind) {
  const auto kind = [](int64_t rows, uintptr_t a = 0) {
    return cuda::GemmKind({rows, 768, 768},
                          {.c = nullptr, .a = reinterpret_cast<void*>(a), .b = nullptr});
  };
  EXPECT_TRUE(kind(5000) == kind(5120));
  EXPECT_TRUE(kind(5000) != kind(5121));
  EXPECT_TRUE(kind(3) != kind(4));
  EXPECT_TRUE(kind(3, 16) == kind(3, 4096));
  EXPECT_TRUE(kind(3, 16) != kind(3, 8));
  EXPECT_EQ(kind(5000).text(), "5120x768x768 nn f32 to f32");
  EXPECT_EQ(kind(3, 8).text(), "3x768x768 nn f32 to f32, alignment 8");
}

class SmallGemm : public testing::Test {
 protected:
  SmallGemm() {
    a.store(random_normal(24 * 32, 1));
    b.store(random_normal(32 * 16, 2));
    c.store(Doubles(24 * 16, 7));
  }
  Guarded a{{24, 32}, DType::bf16, Device::cuda}, b{{32, 16}, DType::bf16, Device::cuda},
      c{{24, 16}, DType::f32, Device::cuda};
  Stream stream{Device::cuda};
  const Gemm adding = cuda::adding(plain, 24, 16, 32, DType::bf16);
  const cuda::GemmOperands operands{c.tensor.data, a.tensor.data, b.tensor.data};
};

TEST_F(SmallGemm, TimingAndRefusingLeaveTheResultAlone) {
  const auto candidates = cuda::library_algorithms(adding, operands);
  const auto fastest = cuda::fastest(stream, adding, operands, candidates);
  ASSERT_TRUE(fastest);
  EXPECT_TRUE(*fastest == kBuiltIn ||
              std::find(candidates.begin(), candidates.end(), *fastest) != candidates.end());
#ifdef LACLIP_SIMT  // NVIDIA's may find a use for any of its algorithms
  EXPECT_THROW(cuda::gemm_by(stream, adding, operands, kOne), Error);  // no such algorithm
#endif
  stream.synchronize();
  EXPECT_EQ(c.load(), Doubles(24 * 16, 7));
}

TEST_F(SmallGemm, AnAlgorithmThatDoesNotFitGivesWayToTheLibrarysFirst) {
  EXPECT_TRUE(cuda::fitting(kBuiltIn, adding, operands) == kBuiltIn);
  const auto candidates = cuda::library_algorithms(adding, operands);
  if (candidates.empty()) {
    EXPECT_TRUE(cuda::fitting(kOne, adding, operands) == kBuiltIn);
    return;
  }
  EXPECT_TRUE(cuda::fitting(candidates.back(), adding, operands) == candidates.back());
  const GemmAlgorithm strange = impossible(operands),
                      fits = cuda::fitting(strange, adding, operands);
  EXPECT_TRUE(fits == candidates.front() || (cuda_is_a_gpu() && fits == strange)) << fits.text();
  Gemm mixed = adding;  // a bias in bf16 beside a result in fp32
  cuda::GemmOperands with_bias = operands;
  with_bias.bias = a.tensor.data;
  EXPECT_TRUE(cuda::fitting(candidates.front(), mixed, with_bias) == kBuiltIn);
}

#ifdef LACLIP_SIMT
// Number 2 of the stand-in's algorithms is for multiples of 16 rows.
TEST_F(SmallGemm, AnAlgorithmOfOtherRowsIsChecked) {
  Gemm g = adding;
  g.m = 16;
  const auto of_16 = cuda::library_algorithms(g, operands);
  ASSERT_EQ(of_16.size(), 2u);
  g.m = 15;
  const auto of_15 = cuda::library_algorithms(g, operands);
  ASSERT_EQ(of_15.size(), 1u);
  EXPECT_TRUE(of_15[0] == of_16[1]);
  EXPECT_TRUE(cuda::fitting(of_16[0], g, operands) == of_15[0]);
  EXPECT_THROW(cuda::gemm_by(stream, g, operands, of_16[0]), Error);
}

// An algorithm that fails leaves CUDA's error behind; it is passed over, and no launch reports it.
TEST_F(SmallGemm, AnAlgorithmThatFailsIsPassedOver) {
  const auto candidates = cuda::library_algorithms(adding, operands);
  simt::fail_matmuls(1);
  EXPECT_TRUE(cuda::fastest(stream, adding, operands, candidates));
  simt::fail_matmuls(1000);
  const auto fastest = cuda::fastest(stream, adding, operands, candidates);
  simt::fail_matmuls(0);
  EXPECT_TRUE(fastest && *fastest == kBuiltIn);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

// Without memory for a second result only what overwrites its result can be timed.
TEST_F(SmallGemm, NoRoomToTimeIn) {
  const auto candidates = cuda::library_algorithms(adding, operands);
  ASSERT_TRUE(cuda::fastest(stream, adding, operands, candidates));  // working memory has grown
  Gemm overwriting = adding;
  overwriting.accumulate = false;
  overwriting.c_type = DType::bf16;
  cuda::GemmOperands in_place = operands;
  in_place.skip = operands.c;
  simt::fail_allocations_of(512);
  EXPECT_FALSE(cuda::fastest(stream, adding, operands, candidates));
  EXPECT_FALSE(cuda::fastest(stream, overwriting, in_place, candidates));
  EXPECT_TRUE(cuda::fastest(stream, overwriting, operands, candidates));
  simt::fail_allocations_of(0);
  EXPECT_TRUE(cuda::fastest(stream, overwriting, in_place, candidates));
}
#endif

}  // namespace
}  // namespace laclip::test

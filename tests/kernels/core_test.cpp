#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>
#include <string>

#include "kernels/core/cuda_runtime.h"
#include "kernels/core/graphs.h"
#include "kernels/core/memory.h"
#include "kernels/core/op.h"
#include "kernels/core/profile.h"
#include "kernels/core/staging.h"
#include "kernels/core/upload.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/layernorm.h"
#include "tests/harness/error_of.h"

namespace laclip {
namespace {

using test::error_of;

using Probe = void(Stream&, Out y, In x, In b);
void probe(Stream&, Out, In, In) {}
[[noreturn]] void probe_on_cuda(Stream&, Out, In, In) { fail("on cuda"); }
constexpr Op<Probe> probe_op{"probe: y[N 2*C] <- x[N C] b?[N+1]:i32",
                             {{probe, probe, probe}},
                             probe_on_cuda};

struct Operands {
  Buffer memory{"test", 4096};
  Tensor y = memory.tensor({2, 6}, DType::f32), x = memory.tensor({2, 3}, DType::f32),
         b = memory.tensor({3}, DType::i32);
  Stream stream;
};

TEST(Contract, AcceptsWhatFits) {
  Operands o;
  EXPECT_NO_THROW(probe_op(o.stream, o.y, o.x, o.b));
  EXPECT_NO_THROW(probe_op(o.stream, o.y, o.x, none));
}

TEST(Contract, NamesTheOperandTheSizeAndWhoBoundIt) {
  Operands o;
  EXPECT_EQ(error_of([&] {
              probe_op(o.stream, o.y.view({3, 4}), o.x, none);
            }),
            "probe: y is [3 4] but C = 3 (x is [2 3])");
  EXPECT_EQ(error_of([&] {
              probe_op(o.stream, o.y.view({2, 6}), o.x.rows(0, 2), o.b.rows(0, 2));
            }),
            "probe: b is [2] but N = 2 (y is [2 6])");
  EXPECT_EQ(
      error_of([&] {
        probe_op(o.stream, o.y.view({2, 2, 3}), o.x, none);
      }),
      "probe: y is [2 2 3], but 2 dimensions are needed (probe: y[N 2*C] <- x[N C] b?[N+1]:i32)");
}

TEST(Contract, ChecksTypesAndMissingOperands) {
  Operands o;
  Tensor x16 = o.x;
  x16.dtype = DType::bf16;
  EXPECT_EQ(error_of([&] { probe_op(o.stream, o.y, x16, none); }), "probe: x is bf16 but y is f32");
  EXPECT_EQ(error_of([&] { probe_op(o.stream, o.y, none, none); }), "probe: x is missing");
  Tensor wrong = o.b;
  wrong.dtype = DType::f32;
  EXPECT_NE(error_of([&] { probe_op(o.stream, o.y, o.x, wrong); }).find("b cannot be f32"),
            std::string::npos);
}

TEST(Contract, LayernormSaysWhichSizeIsWrong) {
  Buffer memory("test", 4096);
  Stream stream;
  auto f32 = [&](Shape shape) { return memory.tensor(shape, DType::f32); };
  EXPECT_EQ(error_of([&] {
              layernorm_forward(stream, f32({2, 8}), f32({2}), f32({2}), f32({2, 8}), f32({4}),
                                f32({8}), 1e-5f);
            }),
            "layernorm_forward: gamma is [4] but C = 8 (y is [2 8])");
}

TEST(Op, TakesTheImplementationOfTheStreamsDevice) {
  Stream stream(Device::cuda);
  Operands o;
  EXPECT_EQ(error_of([&] { probe_op(o.stream, o.y, o.x, none); }), "");
  o.y.device = o.x.device = Device::cuda;
  EXPECT_EQ(error_of([&] { probe_op(stream, o.y, o.x, none); }), "on cuda");
}

TEST(Op, AnOperandOnAnotherDeviceIsNamed) {
  Operands o;
  o.x.device = Device::cuda;
  EXPECT_EQ(error_of([&] { probe_op(o.stream, o.y, o.x, none); }),
            "probe: x lies on cuda but the stream runs on cpu");
}

TEST(Op, ADryRunChecksAndDoesNothing) {
  Arena arena;  // measures
  Stream stream;
  stream.dry_run = true;
  const Tensor y = arena.tensor({2, 6}, DType::f32), x = arena.tensor({2, 3}, DType::f32);
  EXPECT_NO_THROW(probe_op(stream, y, x, none));
  EXPECT_THROW(probe_op(stream, y, y, none), Error);
  EXPECT_EQ(arena.high_water(), 2 * kAlignment);
}

TEST(Op, ProfileCountsCalls) {
  Operands o;
  OpProfile profile;
  o.stream.profile = &profile;
  probe_op(o.stream, o.y, o.x, none);
  probe_op(o.stream, o.y, o.x, none);
  EXPECT_EQ(profile.ops.at("probe").calls, 2);
}

TEST(Arena, GivesBackByScopesAndRefusesMoreThanPlanned) {
  Arena arena("activations", 256);
  {
    ArenaScope scope(arena);
    arena.tensor({64}, DType::f32);
    EXPECT_NE(error_of([&] { arena.tensor({1}, DType::f32); }).find("activations"),
              std::string::npos);
  }
  EXPECT_EQ(arena.mark(), 0);
  EXPECT_NO_THROW(arena.tensor({60}, DType::f32));
}

TEST(Tensor, AccessAsAnotherTypeIsAnError) {
  Buffer memory("test", 64);
  const Tensor x = memory.tensor({2, 3}, DType::f32);
  EXPECT_EQ(error_of([&] { x.as<bf16>(); }), "a tensor [2 3] of f32 is used as bf16");
  EXPECT_THROW(x.view({7}), Error);
  EXPECT_THROW(x.rows(1, 2), Error);
}

TEST(Bf16, RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(bf16(std::bit_cast<float>(0x3f808000u)).bits, 0x3f80);  // halfway: to even
  EXPECT_EQ(bf16(std::bit_cast<float>(0x3f818000u)).bits, 0x3f82);
  EXPECT_EQ(bf16(std::bit_cast<float>(0x3f808001u)).bits, 0x3f81);
  EXPECT_TRUE(std::isnan(float(bf16(std::nanf("")))));
  EXPECT_TRUE(std::isinf(float(bf16(3.4e38f))));
}

TEST(Staging, HostMemoryMayBeReusedAtOnce) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  Stream stream(Device::cuda);
  const Buffer there("test", 400 * 4, Device::cuda);
  for (int64_t i = 0; i < 400; ++i) {
    auto value = float(i);
    copy(stream, there.tensor({1}, DType::f32, 4 * i), tensor_of(&value, {1}));
  }
  stream.synchronize();
  const HostCopy got(there.tensor({400}, DType::f32));
  for (int64_t i = 0; i < 400; ++i) EXPECT_EQ(got.tensor().as<float>()[i], float(i));
}

TEST(Staging, PiecesDoNotOverlapAndAreGivenOutAgain) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  Staging staging;
  std::byte* first = staging.take(100);
  EXPECT_GE(staging.take(1) - first, 100);
  std::byte* whole = staging.take(Staging::kMost);
  EXPECT_TRUE(whole >= first + Staging::kMost || whole + Staging::kMost <= first);
  staging.clear();
  EXPECT_EQ(staging.take(1), first);
  EXPECT_THROW(staging.take(Staging::kMost + 1), Error);
}

TEST(Staging, BlocksGoToTheNextThatNeedsSome) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  std::byte *first = nullptr, *beside = nullptr;
  {
    Staging one, other;
    first = one.take(1), beside = other.take(1);
    EXPECT_NE(first, beside);
  }
  Staging later, last;
  EXPECT_EQ((std::set{later.take(1), last.take(1)}), (std::set{first, beside}));
}

TEST(Upload, ArrivesInTheOrderOfTheStreamThatWaits) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  for (Device device : {Device::cpu, Device::cuda}) {
    Stream stream(device);
    Upload upload("test", 8, device);
    std::vector<float> host[3] = {{1, 2}, {3, 4}, {5, 6}};
    std::vector<float> got(2);
    Tensor next = upload.begin(tensor_of(host[0]));
    for (int i = 0; i < 3; ++i) {
      const Tensor now = next;
      upload.arrive(stream);
      if (i < 2) next = upload.begin(tensor_of(host[i + 1]));
      copy(stream, tensor_of(got), now);
      stream.synchronize();
      EXPECT_EQ(got, host[i]) << name_of(device) << ' ' << i;
    }
  }
}

TEST(Upload, GrowsWithItsInputs) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  Stream stream(Device::cuda);
  Upload upload("test", 8, Device::cuda);
  for (int64_t bytes : {8, 100, 7, 1000, 100}) {
    const std::vector<uint8_t> want(static_cast<size_t>(bytes), static_cast<uint8_t>(bytes));
    std::vector<uint8_t> got(want.size());
    const Tensor there =
        upload.begin(bytes, [&](std::byte* to) { std::memcpy(to, want.data(), want.size()); });
    upload.arrive(stream);
    copy(stream, tensor_of(got), there);
    stream.synchronize();
    EXPECT_EQ(got, want) << bytes;
  }
  Upload on_host("test", 8, Device::cpu);
  EXPECT_THROW(on_host.begin(8, [](std::byte*) {}), Error);
}

TEST(Graphs, ARecordingDoesTheWorkOnWhatIsThere) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  for (Device device : {Device::cpu, Device::cuda}) {
    Stream stream(device);
    Graphs graphs(stream);
    const Buffer memory("test", 2 * 64, device);
    const Tensor x = memory.tensor({3}, DType::f32), y = memory.tensor({3}, DType::f32, 64);
    int calls = 0;
    for (float value : {1.0f, 2.0f, 3.0f, 4.0f}) {
      const std::vector<float> host(3, value);
      copy(stream, x, tensor_of(host));
      graphs.run({3}, [&] {
        ++calls;
        convert(stream, y, x);
      });
      stream.synchronize();
      const HostCopy got(y);
      EXPECT_EQ(got.tensor().as<float>()[2], value) << name_of(device);
    }
    EXPECT_EQ(calls, device == Device::cpu ? 4 : 2);
    EXPECT_EQ(graphs.launches(), device == Device::cpu ? 0 : 3);
  }
}

TEST(Graphs, ScratchMemoryThatMovesMakesANewRecording) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  Stream stream(Device::cuda);
  Graphs graphs(stream);
  int calls = 0;
  const auto work = [&] {
    ++calls;
    stream.scratch().reserve<float>(100);
  };
  for (int i = 0; i < 4; ++i) graphs.run({1}, work);
  EXPECT_EQ(calls, 3);  // before the memory was there, with it, recorded
  stream.scratch().reserve<float>(100'000);
  graphs.run({1}, work);
  EXPECT_EQ(calls, 4);
}

// What cannot be recorded is done all the same, with one warning.
TEST(Graphs, ACopyToTheHostCannotBeRecorded) {
  if (cuda_is_a_gpu() || cuda_devices() == 0) GTEST_SKIP() << "the host execution refuses it";
  Stream stream(Device::cuda);
  Graphs graphs(stream);
  const Buffer memory("test", 64, Device::cuda);
  const Tensor x = memory.tensor({1}, DType::f32);
  float value = 0;
  int calls = 0;
  const auto work = [&] {
    ++calls;
    copy(stream, tensor_of(&value, {1}), x);
  };
  testing::internal::CaptureStderr();
  for (float next : {1.0f, 2.0f, 3.0f, 4.0f}) {
    fill(stream, x, next);
    graphs.run({1}, work);
    stream.synchronize();
    EXPECT_EQ(value, next);
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(calls, 6);  // twice it was tried
  EXPECT_EQ(graphs.launches(), 0);
  EXPECT_NE(lines.find("not recorded as a CUDA graph"), std::string::npos) << lines;
  EXPECT_EQ(lines.find("not recorded"), lines.rfind("not recorded"));
}

// An error of the work itself reaches the caller, recorded or not.
TEST(Graphs, AnErrorOfTheWorkIsThrown) {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU";
  Stream stream(Device::cuda);
  Graphs graphs(stream);
  bool wrong = false;
  const auto work = [&] { check(!wrong, "the work is wrong"); };
  graphs.run({1}, work);
  wrong = true;
  EXPECT_EQ(test::error_of([&] { graphs.run({1}, work); }), "the work is wrong");
  wrong = false;
  graphs.run({1}, work);
  EXPECT_EQ(graphs.launches(), 1);
}

}  // namespace
}  // namespace laclip

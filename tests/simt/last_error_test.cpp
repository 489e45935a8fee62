// CUDA's last error of a thread: what the runtime keeps of it, and that the program leaves none behind
// for the next launch to report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/core/cuda_runtime.h"
#include "kernels/core/graphs.h"
#include "kernels/ops/elementwise.h"
#include "kernels/simt/runtime.h"
#include "tests/harness/error_of.h"

namespace laclip::simt {
namespace {

using test::error_of;
using ::testing::HasSubstr;

class LastError : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(cudaGetLastError(), cudaSuccess); }
  void TearDown() override { static_cast<void>(cudaGetLastError()); }

  // A launch that nothing is wrong with.
  std::string innocent() {
    return error_of([&] {
      fill(stream_, y_, 1);
      stream_.synchronize();
    });
  }
  cudaStream_t handle() const { return static_cast<cudaStream_t>(stream_.handle()); }

  Stream stream_{Device::cuda};
  Buffer memory_{"test", 64, Device::cuda};
  Tensor y_ = memory_.tensor({16}, DType::f32);
};

TEST_F(LastError, StaysUntilItIsAskedFor) {
  int host = 0;
  EXPECT_EQ(cudaMemcpyAsync(&host, y_.data, 4, cudaMemcpyHostToDevice, nullptr),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);  // what succeeds leaves it alone
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

// The fault that the others are planted against.
TEST_F(LastError, OfSomebodyElseIsReportedByTheNextLaunch) {
  EXPECT_NE(cudaMemsetAsync(&stream_, 0, 1, nullptr), cudaSuccess);
  EXPECT_THAT(innocent(), HasSubstr("invalid argument (a launch with"));
  EXPECT_EQ(innocent(), "");
}

TEST_F(LastError, IsToldOnce) {
  int host = 0;
  EXPECT_THAT(error_of([&] { cuda_copy_to_device(nullptr, &host, &host, 4); }),
              HasSubstr("invalid argument"));
  EXPECT_EQ(innocent(), "");
}

TEST_F(LastError, OfACaptureLeavesNothingBehind) {
  cuda_begin_recording(handle());
  fill(stream_, y_, 1);
  cuda_settle(handle());  // makes the capture invalid
  EXPECT_THAT(error_of([&] { fill(stream_, y_, 2); }), HasSubstr("previous error during capture"));
  cuda_drop_recording(handle());
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  EXPECT_EQ(innocent(), "");
}

TEST_F(LastError, OfTheEndOfAnInvalidCaptureIsToldOnce) {
  cuda_begin_recording(handle());
  cuda_settle(handle());
  EXPECT_THAT(error_of([&] { cuda_end_recording(handle()); }),
              HasSubstr("previous error during capture"));
  EXPECT_EQ(innocent(), "");
}

TEST_F(LastError, OfFreeingInACaptureLeavesNothingBehind) {
  Buffer other("test", 64, Device::cuda);
  std::byte* memory = other.data();
  cuda_begin_recording(handle());
  cuda_free(memory);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  cuda_drop_recording(handle());
  EXPECT_EQ(innocent(), "");
}

// A driver that is too old is told from a missing GPU.
TEST_F(LastError, OfAnOldDriverIsTakenAndToldByVersions) {
  set_driver(12040);
  EXPECT_EQ(cuda_devices(), 0);
  EXPECT_EQ(cuda_absence(), "the driver supports CUDA 12.4, this program needs 13.0");
  set_driver(0);
  EXPECT_EQ(cuda_absence(), "there is no driver of a GPU");
  set_driver(13010);
  EXPECT_EQ(cuda_devices(), 1);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

// Working memory that grows while a graph is recorded is named as that, not as a lack of memory.
TEST_F(LastError, MemoryInACaptureIsNoLackOfMemory) {
  Graphs graphs(stream_);
  int64_t bytes = 0;
  const auto work = [&] {
    fill(stream_, y_, 3);
    if (bytes > 0) Buffer("working memory", bytes, Device::cuda);
  };
  graphs.run({1}, work);
  bytes = 4096;
  testing::internal::CaptureStderr();
  graphs.run({1}, work);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("working memory: 4.0 KiB were asked for while a graph is recorded, which "
                        "can allocate nothing; run the same work once before"));
  EXPECT_EQ(innocent(), "");
  bytes = 0;
  graphs.run({1}, work);
  EXPECT_EQ(graphs.launches(), 1);
}

}  // namespace
}  // namespace laclip::simt

// Each kind of fault that the host execution is there to find, planted, and found by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "kernels/simt/asan.h"
#include "kernels/simt/cuda_shim.h"
#include "tests/harness/guard_device_memory.h"
#include "tests/simt/device_array.h"

namespace laclip::simt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <auto Kernel, class... Arguments>
void run(Grid grid, Arguments... arguments) {
  launch<Kernel>(Kernel, grid.blocks, grid.threads, grid.shared_bytes, arguments...);
}

// The text of the Error that running the kernel gives; "" if there is none.
template <auto Kernel, class... Arguments>
std::string fault_of(Grid grid, Arguments... arguments) {
  try {
    run<Kernel>(grid, arguments...);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// A death test runs its program again instead of a copy of this process, whose other threads would be
// missing.
void die_in_another_program() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

struct Proving {
  Proving() { settings().prove = true; }
  ~Proving() { settings().prove = false; }
};

// ---- barriers

__global__ void barrier_for_half() {
  if (threadIdx.x < 16) __syncthreads();
}

TEST(Faults, BarrierThatSomeThreadsPassBy) {
  const int line = __LINE__ - 4;
  EXPECT_THAT(fault_of<barrier_for_half>({1, 32}),
              AllOf(HasSubstr("barrier_for_half"), HasSubstr("has returned"),
                    HasSubstr(fmt::format("faults_test.cpp:{}", line))));
}

__global__ void two_barriers() {
  if (threadIdx.x % 2)
    __syncthreads();
  else
    __syncthreads();
}

TEST(Faults, BarriersInDifferentBranches) {
  const int line = __LINE__ - 4;
  EXPECT_THAT(fault_of<two_barriers>({1, 64}),
              AllOf(HasSubstr("two_barriers"), HasSubstr(fmt::format("test.cpp:{}", line)),
                    HasSubstr(fmt::format("test.cpp:{}", line - 2))));
}

// ---- hand-over through memory

template <bool Barrier>
__global__ void reverse_in_shared_memory(float* data) {
  auto* room = static_cast<float*>(shared_memory(64 * sizeof(float), Place::current()));
  room[threadIdx.x] = data[threadIdx.x];
  if constexpr (Barrier) __syncthreads();  // all values are in the room
  data[threadIdx.x] = room[63 - threadIdx.x];
}

TEST(Faults, MissingBarrierInAHandOver) {
  const Proving proving;
  DeviceArray<float> data({1, 2, 3}, 64);
  EXPECT_EQ(fault_of<reverse_in_shared_memory<true>>({1, 64, 256}, data.get()), "");
  EXPECT_THAT(fault_of<reverse_in_shared_memory<false>>({1, 64, 256}, data.get()),
              AllOf(HasSubstr("reverse_in_shared_memory"),
                    HasSubstr("depends on the order of the threads")));
}

__global__ void neighbours_in_device_memory(int* data) {
  const int i = int(blockIdx.x);
  data[i] = i == 0 ? 1 : data[i - 1] + 1;  // as if the block before were done
}

TEST(Faults, BlocksThatRelyOnTheirOrder) {
  const Proving proving;
  DeviceArray<int> data(std::vector<int>(8, 0));
  EXPECT_THAT(fault_of<neighbours_in_device_memory>({8, 1}, data.get()),
              HasSubstr("neighbours_in_device_memory: the result depends on the order"));
}

// ---- shared memory

template <bool Fill>
__global__ void sum_of_room(float* out) {
  auto* room = static_cast<float*>(shared_memory(32 * sizeof(float), Place::current()));
  if (Fill || threadIdx.x < 31) room[threadIdx.x] = 1;
  __syncthreads();
  if (threadIdx.x != 0) return;
  float sum = 0;
  for (int i = 0; i < 32; ++i) sum += room[i];
  *out = sum;
}

TEST(Faults, SharedMemoryReadBeforeItIsWritten) {
  const Proving proving;
  DeviceArray<float> out({0});
  EXPECT_EQ(fault_of<sum_of_room<true>>({1, 32, 128}, out.get()), "");
  EXPECT_EQ(out.values(), std::vector<float>{32});
  EXPECT_THAT(fault_of<sum_of_room<false>>({1, 32, 128}, out.get()),
              AllOf(HasSubstr("sum_of_room"), HasSubstr("that nobody has written")));
}

TEST(Faults, MoreSharedMemoryThanTheLaunchGave) {
  DeviceArray<float> out({0});
  EXPECT_THAT(fault_of<sum_of_room<true>>({1, 32, 64}, out.get()),
              AllOf(HasSubstr("uses 128 bytes of shared memory"), HasSubstr("gave 64")));
}

__global__ void write_behind_shared_memory(int reach) {
  auto* room = static_cast<char*>(shared_memory(64, Place::current()));
  room[64 + reach] = 1;
}

TEST(Faults, WriteBehindSharedMemory) {
  die_in_another_program();
  if (asan::kActive)
    EXPECT_DEATH(run<write_behind_shared_memory>({1, 1, 64}, 3), "AddressSanitizer");
  else
    EXPECT_THAT(fault_of<write_behind_shared_memory>({1, 1, 64}, 3),
                AllOf(HasSubstr("write_behind_shared_memory"), HasSubstr("outside its 64 bytes")));
}

__global__ void load_matrix_behind() {
  const auto* room = static_cast<std::byte*>(shared_memory(512, Place::current()));
  uint32_t fragment[4];
  load_matrices(fragment, room + 16 * (threadIdx.x + 1), false, Place::current());
}
__global__ void load_matrix_between() {
  const auto* room = static_cast<std::byte*>(shared_memory(512, Place::current()));
  uint32_t fragment[4];
  load_matrices(fragment, room + 8 * threadIdx.x, false, Place::current());
}

TEST(Faults, MatricesOutsideSharedMemoryOrAtOtherMultiples) {
  EXPECT_THAT(fault_of<load_matrix_behind>({1, 32, 512}),
              AllOf(HasSubstr("test.cpp:"), HasSubstr("byte 512 of 512")));
  EXPECT_THAT(fault_of<load_matrix_between>({1, 32, 512}),
              AllOf(HasSubstr("test.cpp:"), HasSubstr("not a multiple of 16")));
}

// ---- stacks and device memory

__global__ void write_behind_an_array(int reach, int* out) {
  int list[4] = {};
  volatile int* at = list;
  at[reach] = 1;
  *out = list[0];
}

TEST(Faults, WriteBehindAnArrayOnAFibersStack) {
  die_in_another_program();
  if (!asan::kActive) GTEST_SKIP() << "needs AddressSanitizer";
  DeviceArray<int> out({0});
  EXPECT_DEATH(run<write_behind_an_array>({1, 1}, 4, out.get()),
               "stack-buffer-overflow|insufficient space");  // of UBSan, where that is on, too
}

__global__ void write_at(char* to) { *to = 1; }

TEST(Faults, WriteBehindAnAllocation) {
  die_in_another_program();
  DeviceArray<char> data(std::vector<char>(300));
  run<write_at>({1, 1}, data.get() + 299);
  EXPECT_DEATH(run<write_at>({1, 1}, data.get() + 512), "device memory was touched");
}

TEST(Faults, HostCodeThatTouchesDeviceMemory) {
  die_in_another_program();
  DeviceArray<int> data({7});
  EXPECT_EQ(data.values(), std::vector<int>{7});
  EXPECT_DEATH(*static_cast<volatile int*>(data.get()) = 1, "device memory was touched");
}

TEST(Faults, CopiesInTheWrongDirection) {
  DeviceArray<int> data({1});
  int host = 0;
  EXPECT_NE(cudaMemcpyAsync(&host, data.get(), 4, cudaMemcpyHostToDevice, nullptr), cudaSuccess);
  EXPECT_NE(cudaMemcpyAsync(data.get(), &host, 4, cudaMemcpyDeviceToHost, nullptr), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);  // and leaves no error for the next test
}

TEST(Faults, CopyToTheHostThatIsReadTooEarly) {
  cudaStream_t stream;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, 0), cudaSuccess);
  DeviceArray<int> data({42});
  int host = 0;
  ASSERT_EQ(cudaMemcpyAsync(&host, data.get(), 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_NE(host, 42);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(host, 42);
  cudaStreamDestroy(stream);
}

// A stream that does not wait for the other reads what was there before the copy came.
TEST(Faults, CopyFromPinnedMemoryThatIsNotWaitedFor) {
  cudaStream_t copies, work;
  cudaEvent_t event;
  void* pinned = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&copies, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaStreamCreateWithFlags(&work, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  ASSERT_EQ(cudaMallocHost(&pinned, 4), cudaSuccess);
  DeviceArray<int> data({0});
  const auto seen = [&] {
    int value = 0;
    EXPECT_EQ(cudaMemcpyAsync(&value, data.get(), 4, cudaMemcpyDeviceToHost, work), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(work), cudaSuccess);
    return value;
  };
  int& from = *static_cast<int*>(pinned);
  from = 42;
  ASSERT_EQ(cudaEventRecord(event, copies), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(data.get(), pinned, 4, cudaMemcpyHostToDevice, copies), cudaSuccess);
  EXPECT_NE(seen(), 42);
  from = 43;  // too early: the copy takes what is there when it runs
  ASSERT_EQ(cudaStreamWaitEvent(work, event, 0),
            cudaSuccess);  // recorded before the copy was given
  EXPECT_NE(seen(), 43);
  ASSERT_EQ(cudaEventRecord(event, copies), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(work, event, 0), cudaSuccess);
  EXPECT_EQ(seen(), 43);
  cudaFreeHost(pinned);
  cudaEventDestroy(event);
  cudaStreamDestroy(copies);
  cudaStreamDestroy(work);
}

// ---- warps

__global__ void shuffle_without_lane_5(int* out) {
  if (threadIdx.x == 5) return;
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, int(threadIdx.x), 1);
}

TEST(Faults, WarpFunctionWithALaneMissing) {
  const int line = __LINE__ - 4;
  DeviceArray<int> out(std::vector<int>(32));
  EXPECT_THAT(fault_of<shuffle_without_lane_5>({1, 32}, out.get()),
              AllOf(HasSubstr("shuffle_without_lane_5"), HasSubstr("lane 5 is missing"),
                    HasSubstr(fmt::format("test.cpp:{}", line)), HasSubstr("__shfl_xor_sync")));
}

__global__ void shuffle_everywhere(int* out) {
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, int(threadIdx.x), 1);
}

TEST(Faults, MaskOfMoreLanesThanTheBlockHas) {
  DeviceArray<int> out(std::vector<int>(32));
  EXPECT_THAT(fault_of<shuffle_everywhere>({1, 20}, out.get()), HasSubstr("no lane 20"));
}

__global__ void mask_without_itself() { __syncwarp(1u); }

TEST(Faults, MaskWithoutTheCaller) {
  EXPECT_THAT(fault_of<mask_without_itself>({1, 2}), HasSubstr("without itself"));
}

__global__ void barrier_against_shuffle() {
  if (threadIdx.x == 0)
    __syncthreads();
  else
    __syncwarp();
}

TEST(Faults, LaneThatWaitsElsewhere) {
  EXPECT_THAT(fault_of<barrier_against_shuffle>({1, 32}),
              AllOf(HasSubstr("lane 0 is missing"), HasSubstr("__syncthreads")));
}

// ---- banks of shared memory

// Rows of a matrix `stride` bytes apart.
__global__ void load_matrix(int stride) {
  auto* room = static_cast<std::byte*>(shared_memory(2048, Place::current()));
  uint32_t fragment[4];
  load_matrices(fragment, room + int(threadIdx.x) % 8 * stride, false, Place::current());
}

TEST(Faults, RowsOfAMatrixThatMeetInABank) {
  EXPECT_EQ(fault_of<load_matrix>({1, 32, 2048}, 128), "");  // slow, not wrong
  settings().banks = true;
  EXPECT_EQ(fault_of<load_matrix>({1, 32, 2048}, 144), "");
  EXPECT_EQ(fault_of<load_matrix>({1, 32, 2048}, 16), "");
  EXPECT_THAT(fault_of<load_matrix>({1, 32, 2048}, 128),
              AllOf(HasSubstr("load_matrix"), HasSubstr("rows 0 and 1")));
  EXPECT_THAT(fault_of<load_matrix>({1, 32, 2048}, 32), HasSubstr("rows 0 and 4"));
  settings().banks = false;
}

// ---- asynchronous copies

template <bool Wait>
__global__ void copy_asynchronously(const float* from, float* out) {
  auto* room = static_cast<float*>(shared_memory(16, Place::current()));
  defer_copy(room, from, 16, 0);
  commit_copies();
  if constexpr (Wait) wait_copies(0);
  out[0] = room[2];
  if constexpr (!Wait) wait_copies(0);
}

TEST(Faults, AsynchronousCopyThatIsReadBeforeItIsWaitedFor) {
  DeviceArray<float> from({1, 2, 3, 4}), out({0});
  run<copy_asynchronously<true>>({1, 1, 16}, from.get(), out.get());
  EXPECT_EQ(out.values(), std::vector<float>{3});
  run<copy_asynchronously<false>>({1, 1, 16}, from.get(), out.get());
  EXPECT_TRUE(std::isnan(out.values()[0]));
}

__global__ void copy_and_leave(const float* from) {
  defer_copy(shared_memory(16, Place::current()), from, 16, 0);
}

TEST(Faults, AsynchronousCopyThatNobodyWaitsFor) {
  DeviceArray<float> from({1, 2, 3, 4});
  EXPECT_THAT(fault_of<copy_and_leave>({1, 1, 16}, from.get()),
              HasSubstr("without waiting for its cp.async"));
}

// ---- launches

TEST(Faults, LaunchesThatNoDeviceTakes) {
  DeviceArray<char> data(std::vector<char>(1));
  EXPECT_THAT(fault_of<write_at>({1, 1025}, data.get()), HasSubstr("1025 threads in a block"));
  EXPECT_THAT(fault_of<write_at>({1, 1, 300 << 10}, data.get()), HasSubstr("shared memory"));
  EXPECT_THAT(fault_of<write_at>({dim3(1, 70000), 1}, data.get()), HasSubstr("70000"));
  EXPECT_THAT(fault_of<write_at>({1, dim3(1, 1, 65)}, data.get()), HasSubstr("depth 65"));
}

TEST(Faults, AFaultLeavesNothingBehind) {
  EXPECT_NE(fault_of<barrier_for_half>({1, 32}), "");
  DeviceArray<int> out(std::vector<int>(32));
  run<shuffle_everywhere>({1, 32}, out.get());
  EXPECT_EQ(out.values()[4], 5);
}

}  // namespace
}  // namespace laclip::simt

// What the host execution computes: thread numbers, warp functions, tensor cores, atomics.
#include <gtest/gtest.h>

#include "base/philox.h"
#include "kernels/simt/cuda_shim.h"
#include "tests/simt/device_array.h"

namespace laclip::simt {
namespace {

template <auto Kernel, class... Arguments>
void run(Grid grid, Arguments... arguments) {
  launch<Kernel>(Kernel, grid.blocks, grid.threads, grid.shared_bytes, arguments...);
}

__global__ void number_threads(unsigned* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned i = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[i] = i;
}

TEST(Machine, NumbersThreadsInThreeDimensions) {
  const dim3 grid(3, 2, 2), block(4, 3, 2);
  for (Order order : {Order::forward, Order::reversed, Order::shuffled}) {
    settings().order = order;
    DeviceArray<unsigned> out(std::vector<unsigned>(12 * 24));
    run<number_threads>({grid, block}, out.get());
    const auto values = out.values();
    for (unsigned i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], i);
  }
  settings().order = Order::forward;
}

__global__ void sum_of_the_block(int* out) {
  auto* room = static_cast<int*>(shared_memory(48 * sizeof(int), Place::current()));
  room[threadIdx.x] = int(threadIdx.x);
  __syncthreads();  // all numbers are there
  int sum = 0;
  for (int i = 0; i < 48; ++i) sum += room[i];
  out[threadIdx.x] = sum;
}

TEST(Machine, LastWarpsThatAreNotFull) {
  for (Order order : {Order::forward, Order::reversed, Order::shuffled}) {
    settings().order = order;
    DeviceArray<int> out(std::vector<int>(48));
    run<sum_of_the_block>({1, 48, 192}, out.get());
    EXPECT_EQ(out.values(), std::vector<int>(48, 1128));
  }
  settings().order = Order::forward;
}

__global__ void shuffles(int* out) {
  const int lane = int(threadIdx.x);
  int* to = out + lane * 6;
  to[0] = __shfl_sync(0xffffffffu, lane, 3);
  to[1] = __shfl_sync(0xffffffffu, lane, 3, 8);
  to[2] = __shfl_xor_sync(0xffffffffu, lane, 16);
  to[3] = __shfl_down_sync(0xffffffffu, lane, 2);
  to[4] = __shfl_up_sync(0xffffffffu, lane, 2);
  to[5] = int(__ballot_sync(0xffffffffu, lane % 2 == 1));
}

TEST(Machine, WarpFunctions) {
  DeviceArray<int> out(std::vector<int>(32 * 6));
  run<shuffles>({1, 32}, out.get());
  const auto values = out.values();
  for (int lane = 0; lane < 32; ++lane) {
    const int* v = values.data() + lane * 6;
    EXPECT_EQ(v[0], 3);
    EXPECT_EQ(v[1], lane / 8 * 8 + 3);
    EXPECT_EQ(v[2], lane ^ 16);
    EXPECT_EQ(v[3], lane < 30 ? lane + 2 : lane);
    EXPECT_EQ(v[4], lane >= 2 ? lane - 2 : lane);
    EXPECT_EQ(unsigned(v[5]), 0xaaaaaaaau);
  }
}

__global__ void halves_of_a_warp(int* out) {
  const unsigned mask = threadIdx.x < 16 ? 0xffffu : 0xffff0000u;
  int sum = int(threadIdx.x);
  for (int bits = 8; bits > 0; bits /= 2) sum += __shfl_xor_sync(mask, sum, bits);
  out[threadIdx.x] = sum;
}

TEST(Machine, MasksOfPartsOfAWarp) {
  DeviceArray<int> out(std::vector<int>(32));
  run<halves_of_a_warp>({1, 32}, out.get());
  EXPECT_EQ(out.values()[3], 120);
  EXPECT_EQ(out.values()[20], 376);
}

// d = a b with a[16 16] and b[16 8] taken from memory the way ldmatrix does.
__global__ void multiply(const uint16_t* a, const uint16_t* b, float* d) {
  auto* room = static_cast<uint16_t*>(shared_memory(16 * 24 * 2, Place::current()));
  const int lane = int(threadIdx.x), g = lane / 4, t = lane % 4;
  for (int i = lane; i < 256; i += 32) room[i] = a[i];
  for (int i = lane; i < 128; i += 32) room[256 + i] = b[i];
  __syncwarp();
  uint32_t fa[4], fb[4];
  load_matrices(fa, room + lane % 16 * 16 + lane / 16 * 8, false, Place::current());
  load_matrices(fb, room + 256 + lane % 16 * 8, true, Place::current());
  float sums[4] = {1, 1, 1, 1};
  mma_m16n8k16(
      sums, fa, fb, [](uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); },
      Place::current());
  for (int half = 0; half < 2; ++half) {
    d[g * 8 + 2 * t + half] = sums[half];
    d[(g + 8) * 8 + 2 * t + half] = sums[2 + half];
  }
}

TEST(Machine, MatrixProduct) {
  Random random(1, RandomUse::test);
  const auto small = [&] { return float(int(random.below(9)) - 4); };
  std::vector<uint16_t> a(256), b(128);
  for (auto& v : a) v = uint16_t(std::bit_cast<uint32_t>(small()) >> 16);
  for (auto& v : b) v = uint16_t(std::bit_cast<uint32_t>(small()) >> 16);
  const DeviceArray<uint16_t> da(a), db(b);
  DeviceArray<float> d(std::vector<float>(128));
  run<multiply>({1, 32, 768}, da.get(), db.get(), d.get());
  const auto value = [](uint16_t v) { return std::bit_cast<float>(uint32_t(v) << 16); };
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 8; ++j) {
      float sum = 1;
      for (size_t k = 0; k < 16; ++k) sum += value(a[i * 16 + k]) * value(b[k * 8 + j]);
      EXPECT_EQ(d.values()[i * 8 + j], sum) << i << ", " << j;
    }
}

__global__ void count(int* counter, int* seen) { atomicMax(seen, atomicAdd(counter, 1)); }

TEST(Machine, AtomicsAcrossBlocks) {
  DeviceArray<int> counter({0}), seen({0});
  run<count>({100, 64}, counter.get(), seen.get());
  EXPECT_EQ(counter.values()[0], 6400);
  EXPECT_EQ(seen.values()[0], 6399);
}

__global__ void sum_in_shared_memory(const float* x, float* sums) {
  auto* room = static_cast<float*>(shared_memory(256 * sizeof(float), Place::current()));
  room[threadIdx.x] = x[blockIdx.x * 256 + threadIdx.x];
  for (unsigned half = 128; half > 0; half /= 2) {
    __syncthreads();  // the sums of the round before are there
    if (threadIdx.x < half) room[threadIdx.x] += room[threadIdx.x + half];
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = room[0];
}

TEST(Machine, BlocksReduceInSharedMemory) {
  std::vector<float> x(256 * 10);
  for (size_t i = 0; i < x.size(); ++i) x[i] = float(i % 7);
  const DeviceArray<float> dx(x);
  DeviceArray<float> sums(std::vector<float>(10));
  settings().prove = true;
  run<sum_in_shared_memory>({10, 256, 1024}, dx.get(), sums.get());
  settings().prove = false;
  for (size_t block = 0; block < 10; ++block) {
    float sum = 0;
    for (size_t i = 0; i < 256; ++i) sum += x[block * 256 + i];
    EXPECT_EQ(sums.values()[block], sum);
  }
}

TEST(Machine, NamesOfKernels) {
  EXPECT_EQ(kernel_name(
                "void f() [with auto Function = a::b::{anonymous}::k<float, x::y>; P = {}]"),
            "k<float, x::y>");
  EXPECT_EQ(kernel_name("void f() [Function = &laclip::add_kernel]"), "add_kernel");
}

}  // namespace
}  // namespace laclip::simt

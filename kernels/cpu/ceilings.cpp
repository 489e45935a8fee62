#include "kernels/cpu/ceilings.h"

#include <utility>

#include "kernels/cpu/gemm_bf16.h"
#include "kernels/cpu/vector.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {
namespace {

constexpr int kRegisters = 12;  // independent sums: more than latency × units
constexpr int64_t kLoops = 3'000'000;

// Runs `step` on kRegisters sums; the indices are constants, so that each sum stays in its register.
template <class Value, class Step, size_t... I>
void run_loops(Value start, Step&& step, std::index_sequence<I...>) {
  Value sums[] = {(void(I), start)...};
  for (int64_t i = 0; i < kLoops; ++i) (step(sums[I]), ...);
}

#if defined(__x86_64__)
#define LACLIP_VECTOR_REGISTER "+x"
#else
#define LACLIP_VECTOR_REGISTER "+w"
#endif

double fp32_operations() {
  Floats a = Floats{} + 1.0f, b = Floats{};
  asm volatile(""
               : LACLIP_VECTOR_REGISTER(a), LACLIP_VECTOR_REGISTER(b));  // unknown to the compiler
  run_loops(
      a,
      [&](Floats& sum) {
        sum = sum * a + b;  // the sum is a factor, so that no product can leave the loop
        asm volatile("" : LACLIP_VECTOR_REGISTER(sum));  // one step may not merge with the next
      },
      std::make_index_sequence<kRegisters>());
  return double(kLoops) * kRegisters * double(kLanes) * 2;
}

#if defined(__AVX512F__)
[[gnu::target("avx512bf16")]] double dot_operations() {
  __m512 sums[kRegisters] = {};
  const auto ones = __m512bh(_mm512_set1_epi32(0x3f803f80));
  for (int64_t i = 0; i < kLoops; ++i)
#pragma GCC unroll 12
    for (int s = 0; s < kRegisters; ++s) {
      sums[s] = _mm512_dpbf16_ps(sums[s], ones, ones);
      asm volatile("" : "+v"(sums[s]));
    }
  return double(kLoops) * kRegisters * 32 * 2;
}

[[gnu::target("amx-tile,amx-bf16")]] double tile_operations() {
  constexpr int64_t kTileLoops = kLoops / 16;
  configure_tiles();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int64_t i = 0; i < kTileLoops; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  release_tiles();
  return double(kTileLoops) * 4 * 16 * 16 * 32 * 2;
}
#endif

}  // namespace

double arithmetic_loop(DType type) {
#if defined(__AVX512F__)
  if (type == DType::bf16 && cpu_level() == CpuLevel::amx) return tile_operations();
  if (type == DType::bf16 && cpu_level() == CpuLevel::avx512_bf16) return dot_operations();
#endif
  static_cast<void>(type);
  return fp32_operations();
}

float read_loop(const float* data, int64_t count) {
  Floats sums[4] = {};
  for (int64_t i = 0; i + 4 * kLanes <= count; i += 4 * kLanes)
    for (int64_t v = 0; v < 4; ++v) sums[v] += load_floats(data + i + v * kLanes);
  return sum_of_lanes(sums[0] + sums[1] + sums[2] + sums[3]);
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL

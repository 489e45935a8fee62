#include "kernels/core/cpu_level.h"

#include <cstdlib>
#include <string>

#include "base/check.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace laclip {
namespace {

constexpr std::array<std::string_view, kCpuLevels> kNames{"baseline", "avx2", "avx512",
                                                          "avx512_bf16", "amx"};

#if defined(__x86_64__)
// AMX's tiles are state that Linux gives to a process on request (since 5.16).
bool may_use_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool has_amx_bf16() {
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;  // of leaf 7, edx
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & kAmxBf16) && (d & kAmxTile) &&
         may_use_tiles();
}

// What -march=x86-64-v3 implies beside the vectors and has no name in clang 14's __builtin_cpu_supports.
bool has_scalars_of_v3() {
  constexpr unsigned kMovbe = 1u << 22, kF16c = 1u << 29;  // of leaf 1, ecx
  constexpr unsigned kLzcnt = 1u << 5;                     // of leaf 0x80000001, ecx
  unsigned a = 0, b = 0, basic = 0, extended = 0, d = 0;
  return __get_cpuid(1, &a, &b, &basic, &d) && __get_cpuid(0x80000001, &a, &b, &extended, &d) &&
         (basic & kMovbe) && (basic & kF16c) && (extended & kLzcnt);
}

CpuLevel find_best() {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                  has_scalars_of_v3();
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (!v3) return CpuLevel::baseline;
  if (!v4) return CpuLevel::avx2;
  if (!__builtin_cpu_supports("avx512bf16")) return CpuLevel::avx512;
  return has_amx_bf16() ? CpuLevel::amx : CpuLevel::avx512_bf16;
}
#else
CpuLevel find_best() { return CpuLevel::baseline; }
#endif

CpuLevel choose() {
  const char* wanted = std::getenv("LACLIP_CPU");
  const CpuLevel best = best_cpu_level();
  if (!wanted || !*wanted) return best;
  for (int i = 0; i < kCpuLevels; ++i) {
    if (kNames[size_t(i)] != wanted) continue;
    if (CpuLevel(i) > best)
      fail_usage("LACLIP_CPU={}: this CPU has {} at most; unset it or name that", wanted,
                 name_of(best));
    return CpuLevel(i);
  }
  fail_usage("LACLIP_CPU={}: baseline, avx2, avx512, avx512_bf16 and amx are possible", wanted);
}

}  // namespace

std::string_view name_of(CpuLevel level) { return kNames[size_t(level)]; }

CpuLevel best_cpu_level() {
  static const CpuLevel best = find_best();
  return best;
}

CpuLevel cpu_level() {
  static const CpuLevel level = choose();
  return level;
}

}  // namespace laclip

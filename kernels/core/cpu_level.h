// The instruction sets that the CPU ops are compiled for. A process uses one of them: the best that the CPU has, or a
// lower one that LACLIP_CPU names.
//
//   baseline      x86-64-v2 (SSE4.2); on other architectures, the compiler's default
//   avx2          x86-64-v3: AVX2, FMA, BMI, LZCNT, MOVBE, F16C
//   avx512        x86-64-v4: AVX-512 F, BW, CD, DQ, VL
//   avx512_bf16   the same, GEMMs of bf16 by VDPBF16PS
//   amx           the same, GEMMs of bf16 by tiles of AMX
//
// Every file of kernels/cpu is compiled for the first three, each time into a namespace of that name
// (cmake/cpu_levels.cmake); the last two differ in the GEMM alone.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace laclip {

enum class CpuLevel : uint8_t { baseline, avx2, avx512, avx512_bf16, amx };
inline constexpr int kCpuLevels = 5;
std::string_view name_of(CpuLevel level);

// The level of this process. The first call throws UsageError if LACLIP_CPU names no level or one that the CPU lacks.
CpuLevel cpu_level();
CpuLevel best_cpu_level();  // of this CPU

// The compilations of a CPU op.
template <class Function>
struct CpuVariants {
  std::array<Function*, 3> at;  // baseline, avx2, avx512
  Function* get() const {
    const auto level = size_t(cpu_level());
    return at[level < at.size() ? level : at.size() - 1];
  }
};

// Declares the compilations of an op, and by its plain name the choice among them.
#if defined(__x86_64__)
#define LACLIP_CPU_OP(Signature, name) \
  namespace baseline {                 \
  Signature name;                      \
  }                                    \
  namespace avx2 {                     \
  Signature name;                      \
  }                                    \
  namespace avx512 {                   \
  Signature name;                      \
  }                                    \
  inline constexpr CpuVariants<Signature> name{{baseline::name, avx2::name, avx512::name}};
#else
#define LACLIP_CPU_OP(Signature, name) \
  namespace baseline {                 \
  Signature name;                      \
  }                                    \
  inline constexpr CpuVariants<Signature> name{{baseline::name, baseline::name, baseline::name}};
#endif

}  // namespace laclip

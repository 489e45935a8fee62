// Whether this CPU has the level that LACLIP_CPU names: exit code 0, or 77 where a test is to be skipped.
#include <cstdlib>
#include <string_view>

#include "kernels/core/cpu_level.h"

int main() {
  using namespace laclip;
  const char* wanted = std::getenv("LACLIP_CPU");
  for (int i = 0; wanted && i < kCpuLevels; ++i)
    if (name_of(CpuLevel(i)) == wanted) return CpuLevel(i) <= best_cpu_level() ? 0 : 77;
  return 1;
}

#include "apps/manifest.h"

#include <fmt/chrono.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <thread>

#include "base/check.h"
#include "kernels/core/cpu_level.h"

namespace laclip {
namespace {

std::string processor_name() {
  for (const std::string& line : read_lines("/proc/cpuinfo")) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

Json machine() {
  utsname system{};
  uname(&system);
  return {{"host", system.nodename},
          {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
          {"processor", processor_name()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE)}};
}

}  // namespace

std::string version_text() {
  return fmt::format("laclip {} ({}, {}; CPU ops for {})", LACLIP_VERSION, LACLIP_BUILD_TYPE,
                     LACLIP_COMPILER, name_of(cpu_level()));
}

void write_manifest(const fs::path& folder, const Command& command, const Json& data,
                    const std::string& prefix) {
  make_folders(folder);
  write_atomically(folder / (prefix + "config.toml"), command.options_text());
  const Json manifest = {{"command", command.name()},
                         {"version", LACLIP_VERSION},
                         {"build",
                          {{"type", LACLIP_BUILD_TYPE},
                           {"compiler", LACLIP_COMPILER},
                           {"cpu_level", name_of(cpu_level())}}},
                         {"machine", machine()},
                         {"started",
                          fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
                         {"data", data}};
  write_atomically(folder / (prefix + "manifest.json"), manifest.dump(2) + "\n");
}

}  // namespace laclip

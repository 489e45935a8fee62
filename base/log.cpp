#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <mutex>

namespace laclip {
namespace {
std::atomic<LogLevel> current_level{LogLevel::info};
std::mutex line_mutex;
}  // namespace

void set_log_level(LogLevel level) { current_level = level; }
LogLevel log_level() { return current_level; }

void detail::log_line(LogLevel level, fmt::string_view text, fmt::format_args args) {
  if (level > current_level) return;
  const std::string line = fmt::vformat(text, args);
  std::lock_guard lock(line_mutex);
  fmt::print(stderr, "{}{}\n", level == LogLevel::warning ? "warning: " : "", line);
}

}  // namespace laclip

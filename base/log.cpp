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

void detail::log_line(LogLevel level, std::string_view text) {
  if (level > current_level) return;
  std::lock_guard lock(line_mutex);
  fmt::print(stderr, "{}{}\n", level == LogLevel::warning ? "warning: " : "", text);
}

}  // namespace laclip

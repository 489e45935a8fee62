// Messages for people, on standard error; standard output belongs to results.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace laclip {

enum class LogLevel { quiet, warning, info, debug };
void set_log_level(LogLevel level);
LogLevel log_level();

namespace detail {
void log_line(LogLevel level, std::string_view text);
}

template <class... Args>
void log_info(fmt::format_string<Args...> text, Args&&... args) {
  detail::log_line(LogLevel::info, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> text, Args&&... args) {
  detail::log_line(LogLevel::warning, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void log_debug(fmt::format_string<Args...> text, Args&&... args) {
  if (log_level() >= LogLevel::debug)
    detail::log_line(LogLevel::debug, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace laclip

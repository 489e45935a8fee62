// Messages for people, on standard error; standard output belongs to results.
#pragma once

#include <fmt/core.h>

namespace laclip {

enum class LogLevel { quiet, warning, info, debug };
void set_log_level(LogLevel level);
LogLevel log_level();

namespace detail {
void log_line(LogLevel level, fmt::string_view text, fmt::format_args args);
}

template <class... Args>
void log_info(fmt::format_string<Args...> text, Args&&... args) {
  detail::log_line(LogLevel::info, text, fmt::make_format_args(args...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> text, Args&&... args) {
  detail::log_line(LogLevel::warning, text, fmt::make_format_args(args...));
}
template <class... Args>
void log_debug(fmt::format_string<Args...> text, Args&&... args) {
  detail::log_line(LogLevel::debug, text, fmt::make_format_args(args...));
}

}  // namespace laclip

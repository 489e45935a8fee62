// Errors. Everything that can go wrong throws laclip::Error, whose text is one line with the value,
// the place and the cure: "train.csv:12: 1 column where 2 are needed; write path,caption".
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>

namespace laclip {

// The work failed: bad data, bad model file, full disk. The command prints it and exits 1.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The command was called wrongly: unknown flag value, missing option. Exit 2.
struct UsageError : Error {
  using Error::Error;
};

namespace detail {  // compiled once, so that a check costs its callers a call and no more
[[noreturn]] void fail_formatted(fmt::string_view text, fmt::format_args args);
[[noreturn]] void fail_usage_formatted(fmt::string_view text, fmt::format_args args);
}  // namespace detail

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  detail::fail_formatted(text, fmt::make_format_args(args...));
}

template <class... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> text, Args&&... args) {
  detail::fail_usage_formatted(text, fmt::make_format_args(args...));
}

// check(rows == lines, "{} rows but {} lines", rows, lines): active in every build.
template <class... Args>
void check(bool ok, fmt::format_string<Args...> text, Args&&... args) {
  if (!ok) [[unlikely]]
    detail::fail_formatted(text, fmt::make_format_args(args...));
}

}  // namespace laclip

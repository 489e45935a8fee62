// Errors. Everything that can go wrong throws laclip::Error, whose text is one line with the value,
// the place and the cure: "train.csv:12: 1 column where 2 are needed; write path,caption".
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace laclip {

// The work failed: bad data, bad model file, full disk. The command prints it and exits 1.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The command was called wrongly: unknown flag value, missing option. Exit 2.
struct UsageError : Error {
  using Error::Error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> text, Args&&... args) {
  throw UsageError(fmt::format(text, std::forward<Args>(args)...));
}

// check(rows == lines, "{} rows but {} lines", rows, lines): active in every build.
template <class... Args>
void check(bool ok, fmt::format_string<Args...> text, Args&&... args) {
  if (!ok) [[unlikely]]
    fail(text, std::forward<Args>(args)...);
}

}  // namespace laclip

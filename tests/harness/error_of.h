#pragma once

#include <functional>
#include <string>

#include "base/check.h"

namespace laclip::test {

// The text of the Error that `body` ends with; "" if it ends with none.
inline std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace laclip::test

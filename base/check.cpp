#include "base/check.h"

namespace laclip::detail {

void fail_formatted(fmt::string_view text, fmt::format_args args) {
  throw Error(fmt::vformat(text, args));
}
void fail_usage_formatted(fmt::string_view text, fmt::format_args args) {
  throw UsageError(fmt::vformat(text, args));
}

}  // namespace laclip::detail

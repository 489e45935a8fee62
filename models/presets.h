// The files of models/presets/, compiled in: (file name, text). Generated at build time.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace laclip {

extern const std::vector<std::pair<std::string_view, std::string_view>> kPresets;

}  // namespace laclip

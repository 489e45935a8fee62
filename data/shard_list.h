// "a/{000..002}.tar::b.tar" -> the paths: brace ranges keep their leading zeros, {x,y} are
// alternatives, :: joins lists, * and ? match file names.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace laclip {

std::vector<fs::path> expand_shards(const std::string& list);  // whether they exist or not
// Those that exist; a missing one is a warning, none at all an Error.
std::vector<fs::path> find_shards(const std::string& list);

}  // namespace laclip

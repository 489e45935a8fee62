// "a/{000..002}.tar::b.tar" -> the paths: brace ranges keep their leading zeros, {x,y} are
// alternatives, :: joins lists, * and ? match file names.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace laclip {

std::vector<fs::path> expand_shards(const std::string& list);  // whether they exist or not
// Whether every path of the list ends in .tar, after its braces are expanded.
bool lists_shards(const std::string& list);

}  // namespace laclip

// --config FILE: options of a command from a TOML file, one `name = value` a line under the name of
// the flag without dashes (a `[train]` section is allowed and must match the command).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.h"

namespace CLI {
class App;
}

namespace laclip {

// The arguments with the file's options put behind the command's name, except those that the
// command line gives itself. UsageError for an unreadable file or an unknown option.
std::vector<std::string> expand_config_file(std::vector<std::string> arguments,
                                            const CLI::App& program);

// The options that are given in such a file, by name; the values of a list with spaces between.
std::map<std::string, std::string> read_config_file(const fs::path& file);

}  // namespace laclip

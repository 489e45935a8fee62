// What a run was made of: version, build, machine, options, data. Written into each run folder, so
// that a result can be traced and repeated.
#pragma once

#include <string>

#include "apps/command.h"
#include "base/json.h"

namespace laclip {

std::string version_text();  // "laclip 0.1.0 (Release, g++ 12.2.0, native, …)"

// Writes `folder`/config.toml (the resolved options; `--config` reads it back) and
// `folder`/manifest.json, both with `prefix` before their names.
void write_manifest(const fs::path& folder, const Command& command, const Json& data,
                    const std::string& prefix = "");

}  // namespace laclip

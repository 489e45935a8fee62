// Where the files of a tar archive lie: ustar, GNU long names, PAX paths and sizes. Other members
// (folders, links, devices, sparse files) are passed over.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace laclip {

struct TarMember {
  std::string name;
  uint64_t offset = 0, size = 0;  // of its bytes in the archive
};

struct TarIndex {
  std::vector<TarMember> members;
  std::string fault;  // why reading ended before the archive's end; empty if it is sound
};

// Never throws for what an archive holds: a damaged one gives the members before the damage.
TarIndex index_tar(std::span<const std::byte> archive);

}  // namespace laclip

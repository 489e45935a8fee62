// The captions that are rewritten, in order, with a key where their source has one:
//   .csv .tsv .tar  the samples of open_samples(), which training reads: so rewrites join them by
//                   line and by key
//   a column        of a table without images, by number (from 1) or by the name in its header;
//                   fields lie between tabs and are taken as they stand
//   other files     a caption a line
#pragma once

#include <string>
#include <vector>

#include "data/sample_source.h"
#include "data/text_table.h"

namespace laclip {

struct CaptionTable {
  TextTable captions;
  TextTable keys;  // empty texts where the source has none

  uint64_t digest() const { return captions.digest(keys.digest()); }
};

struct CaptionTableOptions {
  SourceOptions source{};
  std::string column{};  // "" = the captions of samples
};

CaptionTable read_captions(const std::string& path, const CaptionTableOptions& options = {});

// The part i of n (1-based) of `count` lines: contiguous, so that outputs can be joined with cat.
struct ShardRange {
  size_t begin, end;
};
ShardRange shard_range(size_t count, const std::string& shard);  // "2/8"; UsageError

}  // namespace laclip

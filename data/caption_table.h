// The captions that are rewritten, in order, with a key where their source has one:
//   text       a caption a line
//   LaCLIP CSV path,caption without a header; the key is the path
//   TSV        a column by number (from 1) or by the name in its header
//   tar shards KEY.txt members of webdataset shards, in the order of the samples there
#pragma once

#include <string>
#include <vector>

#include "data/text_table.h"

namespace laclip {

struct CaptionTable {
  TextTable captions;
  TextTable keys;  // empty texts where the source has none

  uint64_t digest() const { return captions.digest(keys.digest()); }
};

struct CaptionTableOptions {
  std::string column = "1";      // of a TSV
  std::string text_key = "txt";  // of shards
};

CaptionTable read_captions(const std::string& path, const CaptionTableOptions& options = {});

// The part i of n (1-based) of `count` lines: contiguous, so that outputs can be joined with cat.
struct ShardRange {
  size_t begin, end;
};
ShardRange shard_range(size_t count, const std::string& shard);  // "2/8"; UsageError

}  // namespace laclip

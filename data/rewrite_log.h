// The output of rewriting, safe against a kill at any moment.
//
// While the job runs, finished captions go to BASE.part.jsonl, a record a line, in the order in
// which they finish; its first line holds the settings. A resume reads the whole records back and
// cuts off an incomplete last one, or all from the first that a power failure has torn. finish()
// writes, atomically and in the order of the captions,
//   BASE.jsonl  a record a line: index, key, mode, original, text, examples, tokens, logprob, flags
//   BASE.txt    the text alone, a line a caption (LaCLIP's form); the original where no rewrite is
//   usable
// and removes the part file. The result does not depend on when the job was stopped.
#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace laclip {

class RewriteLog {
 public:
  // `settings` decide the output; a part file with other settings is an Error that names the
  // difference. Captions begin .. end-1 are expected.
  RewriteLog(const fs::path& base, Json settings, size_t begin, size_t end);

  bool finished() const { return finished_; }  // BASE.jsonl is there already
  bool has(size_t index) const { return places_[index - begin_] != kMissing; }
  size_t count() const { return count_; }
  // Records by flag, and those without one as "rewritten"; those of earlier sessions included.
  const std::map<std::string, int64_t>& tally() const { return tally_; }
  void add(const Json& record);  // has "index"
  // Error if a caption is missing.
  void finish();

 private:
  static constexpr uint64_t kMissing = ~uint64_t(0);
  uint64_t read_back(std::string_view text);  // returns the bytes that hold records
  void note(const Json& record, uint64_t place);

  fs::path base_, part_;
  Json settings_;
  size_t begin_, end_, count_ = 0;
  bool finished_ = false;
  std::vector<uint64_t> places_;  // by index - begin: where the record begins in the part file
  std::map<std::string, int64_t> tally_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace laclip

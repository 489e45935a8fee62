// The output of rewriting, safe against a kill at any moment.
//
// While the job runs, finished captions go to BASE.part.jsonl, a record a line, in the order in
// which they finish; its first line holds the settings. A resume reads the whole records back and
// cuts off an incomplete last one. finish() writes, atomically and in the order of the captions,
//   BASE.jsonl  a record a line: index, key, mode, original, text, examples, tokens, logprob, flags
//   BASE.txt    the text alone, a line a caption (LaCLIP's form); the original where no rewrite is
//   usable
// and removes the part file. The result does not depend on when the job was stopped.
#pragma once

#include <memory>
#include <vector>

#include "base/json.h"

namespace laclip {

class RewriteLog {
 public:
  // `settings` decide the output; a part file with other settings is an Error that names the
  // difference. Captions begin .. end-1 are expected.
  RewriteLog(const fs::path& base, Json settings, size_t begin, size_t end);

  bool finished() const { return finished_; }  // BASE.jsonl is there already
  bool has(size_t index) const { return done_[index - begin_]; }
  size_t count() const { return count_; }
  void add(const Json& record);  // has "index"
  // Error if a caption is missing.
  void finish();

 private:
  void read_back(const std::string& text);

  fs::path base_, part_;
  Json settings_;
  size_t begin_, end_, count_ = 0;
  bool finished_ = false;
  std::vector<bool> done_;
  std::vector<std::string> records_;  // by index - begin
  std::unique_ptr<AppendFile> file_;
};

}  // namespace laclip

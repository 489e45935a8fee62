// A folder that appears as a whole or not at all: files are written under `path`.tmp, and commit()
// moves it into place. A folder that was there before goes aside first, so that a kill at any moment
// leaves one of the two, whole.
#pragma once

#include "base/file.h"

namespace laclip {

class AtomicFolder {
 public:
  explicit AtomicFolder(fs::path path);  // removes what an earlier attempt has left
  ~AtomicFolder();                       // without commit(): removes the temporary folder
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  fs::path operator/(const fs::path& name) const { return temporary_ / name; }
  void commit();

 private:
  fs::path path_, temporary_;
  bool committed_ = false;
};

}  // namespace laclip

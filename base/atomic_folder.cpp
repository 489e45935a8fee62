#include "base/atomic_folder.h"

#include "base/check.h"

namespace laclip {

AtomicFolder::AtomicFolder(fs::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp") {
  fs::remove_all(temporary_);
  make_folders(temporary_);
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  const fs::path old = path_.string() + ".old.tmp";
  std::error_code error;
  fs::remove_all(old, error);
  if (fs::exists(path_)) fs::rename(path_, old, error);  // no folder can be renamed onto another
  if (!error) fs::rename(temporary_, path_, error);
  check(!error, "{}: cannot move the finished folder into place: {}", path_.string(),
        error.message());
  committed_ = true;
  fs::remove_all(old, error);
}

}  // namespace laclip

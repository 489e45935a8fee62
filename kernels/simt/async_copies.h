// The copies of a thread by cp.async: each happens when the thread waits for its group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace laclip::simt {

class AsyncCopies {
 public:
  // Of bytes - zeros bytes, with zeros behind. Until it happens `to` holds the poison.
  void defer(void* to, const void* from, size_t bytes, size_t zeros, uint8_t poison);
  void commit();  // those deferred since the last commit are a group
  void wait(size_t groups_left_open);

  bool empty() const { return copies_.empty(); }
  void clear();

 private:
  struct Copy {
    void* to;
    const void* from;
    size_t bytes, zeros;
  };
  std::vector<Copy> copies_;
  std::deque<size_t> groups_;  // their numbers of copies, oldest first
  size_t open_ = 0;            // copies of no group yet
};

}  // namespace laclip::simt

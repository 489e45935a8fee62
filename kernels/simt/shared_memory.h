// The shared memory of a block: poisoned before it begins, between two bands, exactly as large as the
// launch said. AddressSanitizer reports who touches a band, and without it a write still shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "kernels/simt/thread.h"

namespace laclip::simt {

class SharedMemory {
 public:
  SharedMemory() = default;
  ~SharedMemory() { free(); }

  void prepare(size_t bytes, uint8_t poison);
  void free();

  // Its beginning; Error if a kernel uses more bytes than there are.
  void* use(size_t bytes, Place place) const;
  // Error if the bytes are outside, or not at a multiple of their number.
  void check_access(const void* address, size_t bytes, Place place) const;
  bool intact() const;  // no band was written to

  uint8_t poison() const { return poison_; }

 private:
  void allocate(size_t bytes);
  std::byte* begin() const;

  std::unique_ptr<std::byte, void (*)(void*)> memory_{nullptr, &std::free};
  size_t bytes_ = 0;
  uint8_t poison_ = 0xff;
};

}  // namespace laclip::simt

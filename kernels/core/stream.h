// Stream: where and in which order ops run, with their scratch memory. Ops on one stream run in the
// order of their calls; on the CPU they are finished when the call returns.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "kernels/core/device.h"
#include "kernels/core/memory.h"

namespace laclip {

// Time spent in each op, by name; filled while a Stream points to it.
struct OpProfile {
  struct Entry {
    int64_t calls = 0;
    double seconds = 0;
  };
  std::map<std::string, Entry, std::less<>> ops;
};

class Stream {
 public:
  explicit Stream(Device device = Device::cpu) : device_(device) {}
  Device device() const { return device_; }

  // In a dry run ops check their operands and return: it finds the memory a computation needs.
  bool dry_run = false;
  OpProfile* profile = nullptr;

  // Working memory for the time of one op.
  Scratch& scratch() { return scratch_; }
  // The same for library calls inside an op.
  Scratch& library_scratch() { return library_scratch_; }

 private:
  Device device_;
  Scratch scratch_, library_scratch_;
};

}  // namespace laclip

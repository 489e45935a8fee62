// The device memory of the host execution: one range of addresses in which allocations lie, so that
// it can be photographed, compared, and closed to host code.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace laclip::simt {

// The bytes of all allocations at one moment.
struct MemoryImage {
  std::map<size_t, std::vector<std::byte>> bytes;  // by offset
};

class DeviceMemory {
 public:
  static DeviceMemory& instance();

  void* allocate(size_t bytes);  // 256-byte aligned, filled with 0xcd; null if there is no room
  void free(void* memory);
  bool holds(const void* address) const;
  size_t used() const;

  MemoryImage image() const;
  void restore(const MemoryImage& image);
  // "byte 12 of an allocation of 400 bytes", or "" if nothing differs.
  std::string first_difference(const MemoryImage& image) const;

  // While one lives, device memory can be touched: by kernels, copies and fills. Only counts where
  // settings().guard is on.
  class Access {
   public:
    Access() { instance().open(); }
    ~Access() { instance().close(); }
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;
  };

 private:
  DeviceMemory();
  void open();
  void close();
  void protect(int protection) const;
  static void on_fault(int signal, void* info, void* context);

  std::byte* base_;
  std::map<size_t, size_t> allocations_;  // offset → bytes
  mutable std::recursive_mutex mutex_;
  int accesses_ = 0;
  bool guard_;
};

}  // namespace laclip::simt

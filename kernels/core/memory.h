// Who owns memory: Buffer (one allocation for one purpose), Arena (a stack of tensors for
// activations, its size known from a dry run), Scratch (the working memory of one op).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/core/tensor.h"

namespace laclip {

// Bytes: a cache line and one AVX-512 register; a GPU needs 16 for its widest access.
inline constexpr int64_t kAlignment = 64;

// Zeroed memory of one purpose ("weights", "gradients", …).
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::string purpose, int64_t bytes, Device device = Device::cpu);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  const std::string& purpose() const { return purpose_; }
  Tensor tensor(Shape shape, DType dtype, int64_t byte_offset = 0) const;

 private:
  std::string purpose_;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
  Device device_ = Device::cpu;
};

// A stack of tensors. An Arena without capacity measures: it hands out addresses nobody may touch
// (use it with Stream::dry_run) and high_water() tells the capacity to reserve.
class Arena {
 public:
  explicit Arena(Device device = Device::cpu) : device_(device) {}     // measures
  Arena(std::string purpose, int64_t capacity, Device = Device::cpu);  // holds

  Tensor tensor(Shape shape, DType dtype);  // Error if the capacity is exceeded
  int64_t mark() const { return used_; }
  void release(int64_t mark) { used_ = mark; }  // gives back everything taken after mark()
  int64_t high_water() const { return high_water_; }
  bool measuring() const { return buffer_.data() == nullptr; }

 private:
  Buffer buffer_;
  Device device_ = Device::cpu;
  int64_t used_ = 0, high_water_ = 0;
};

// Gives back what was taken from the arena in a block.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.release(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  int64_t mark_;
};

// Working memory of one op. It grows during the first step and then stays.
class Scratch {
 public:
  explicit Scratch(Device device = Device::cpu) : device_(device) {}

  // `count` uninitialised elements, valid until the next call of reserve() on this object.
  template <class T>
  T* reserve(int64_t count) {
    return reinterpret_cast<T*>(reserve_bytes(count * int64_t(sizeof(T))));
  }
  std::byte* reserve_bytes(int64_t bytes);
  int64_t bytes() const { return buffer_.bytes(); }  // that are there now
  const std::byte* data() const { return buffer_.data(); }

 private:
  Device device_;
  Buffer buffer_;
};

}  // namespace laclip

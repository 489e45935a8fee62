#include "kernels/simt/device_memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/simt/settings.h"

namespace laclip::simt {
namespace {

constexpr size_t kRange = size_t(1) << 38;  // addresses cost nothing
constexpr size_t kPage = 4096;

constexpr size_t kAlignment = 256;  // of cudaMalloc

// A multiple of pages that holds the bytes; at least one.
size_t pages(size_t bytes) { return std::max<size_t>(1, (bytes + kPage - 1) / kPage) * kPage; }
size_t first_page(size_t offset) { return offset / kPage * kPage; }

struct sigaction previous;

}  // namespace

DeviceMemory& DeviceMemory::instance() {
  static DeviceMemory memory;
  return memory;
}

DeviceMemory::DeviceMemory() : guard_(settings().guard) {
  void* range =
      ::mmap(nullptr, kRange, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(range != MAP_FAILED, "no address space for simulated device memory");
  base_ = static_cast<std::byte*>(range);
  if (!guard_) return;
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int number, siginfo_t* info, void* context) {
    on_fault(number, info, context);
  };
  ::sigaction(SIGSEGV, &action, &previous);
}

// Says what was touched, then lets the fault take its course.
void DeviceMemory::on_fault(int, void* info, void*) {
  const void* address = static_cast<siginfo_t*>(info)->si_addr;
  if (instance().holds(address)) {
    constexpr std::string_view text =
        "laclip: device memory was touched outside an allocation or by host code; copy it first\n";
    [[maybe_unused]] const auto written = ::write(2, text.data(), text.size());
  }
  ::sigaction(SIGSEGV, &previous, nullptr);
}

void* DeviceMemory::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  // The first gap that takes it and a page nobody can touch; it ends before that page.
  const size_t need = pages(bytes) + kPage;
  size_t at = 0;
  for (const auto& [offset, size] : allocations_) {
    if (first_page(offset) - at >= need) break;
    at = first_page(offset) + pages(size) + kPage;
  }
  if (at + need > kRange) return nullptr;
  if (::mprotect(base_ + at, pages(bytes), PROT_READ | PROT_WRITE) != 0) return nullptr;
  std::memset(base_ + at, 0xcd, pages(bytes));
  const size_t offset = at + pages(bytes) - (bytes + kAlignment - 1) / kAlignment * kAlignment;
  allocations_[offset] = bytes;
  if (guard_ && accesses_ == 0) ::mprotect(base_ + at, pages(bytes), PROT_NONE);
  return base_ + offset;
}

void DeviceMemory::free(void* memory) {
  if (!memory) return;
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(size_t(static_cast<std::byte*>(memory) - base_));
  check(found != allocations_.end(), "cudaFree of an address that is no allocation");
  // New pages in their place: the old ones go back to the system.
  ::mmap(base_ + first_page(found->first), pages(found->second), PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  allocations_.erase(found);
}

bool DeviceMemory::holds(const void* address) const {
  return address >= base_ && address < base_ + kRange;
}

size_t DeviceMemory::used() const {
  const std::lock_guard lock(mutex_);
  size_t sum = 0;
  for (const auto& [offset, bytes] : allocations_) sum += bytes;
  return sum;
}

MemoryImage DeviceMemory::image() const {
  const std::lock_guard lock(mutex_);
  MemoryImage image;
  for (const auto& [offset, bytes] : allocations_)
    image.bytes[offset].assign(base_ + offset, base_ + offset + bytes);
  return image;
}

void DeviceMemory::restore(const MemoryImage& image) {
  const std::lock_guard lock(mutex_);
  for (const auto& [offset, bytes] : image.bytes)
    std::memcpy(base_ + offset, bytes.data(), bytes.size());
}

std::string DeviceMemory::first_difference(const MemoryImage& image) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [offset, bytes] : image.bytes) {
    if (std::memcmp(base_ + offset, bytes.data(), bytes.size()) == 0) continue;
    size_t i = 0;
    while (base_[offset + i] == bytes[i]) ++i;
    return fmt::format("byte {} of an allocation of {} bytes", i, bytes.size());
  }
  return "";
}

void DeviceMemory::open() {
  if (!guard_) return;
  mutex_.lock();
  if (accesses_++ == 0) protect(PROT_READ | PROT_WRITE);
}

void DeviceMemory::close() {
  if (!guard_) return;
  if (--accesses_ == 0) protect(PROT_NONE);
  mutex_.unlock();
}

void DeviceMemory::protect(int protection) const {
  for (const auto& [offset, bytes] : allocations_)
    ::mprotect(base_ + first_page(offset), pages(bytes), protection);
}

}  // namespace laclip::simt

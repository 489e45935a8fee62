#include "kernels/simt/shared_memory.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/simt/asan.h"

namespace laclip::simt {
namespace {

constexpr size_t kBand = 128;  // also the alignment
constexpr std::byte kBandByte{0xb5};

}  // namespace

std::byte* SharedMemory::begin() const { return memory_.get() + kBand; }

void SharedMemory::prepare(size_t bytes, uint8_t poison) {
  if (!memory_ || bytes_ != bytes) allocate(bytes);
  poison_ = poison;
  std::memset(begin(), poison, bytes);
}

void SharedMemory::allocate(size_t bytes) {
  free();
  void* memory = nullptr;
  check(::posix_memalign(&memory, kBand, bytes + 2 * kBand) == 0, "no memory for a block");
  memory_.reset(static_cast<std::byte*>(memory));
  bytes_ = bytes;
  for (std::byte* band : {memory_.get(), begin() + bytes}) {
    std::fill_n(band, kBand, kBandByte);
    asan::poison(band, kBand);
  }
}

void SharedMemory::free() {
  if (memory_) asan::unpoison(memory_.get(), bytes_ + 2 * kBand);
  memory_.reset();
}

void* SharedMemory::use(size_t bytes, Place place) const {
  check(bytes <= bytes_, "{} uses {} bytes of shared memory, the launch gave {}", text_of(place),
        bytes, bytes_);
  return begin();
}

void SharedMemory::check_access(const void* address, size_t bytes, Place place) const {
  const auto* at = static_cast<const std::byte*>(address);
  check(at >= begin() && at + bytes <= begin() + bytes_,
        "{} reaches byte {} of {} bytes of shared memory", text_of(place), at - begin(), bytes_);
  check(size_t(at - begin()) % bytes == 0,
        "{} reaches byte {} of shared memory, which is not a multiple of {}", text_of(place),
        at - begin(), bytes);
}

bool SharedMemory::intact() const {
  if (asan::kActive) return true;  // it would have reported
  const auto is_band = [](const std::byte* band) {
    return std::all_of(band, band + kBand, [](std::byte b) { return b == kBandByte; });
  };
  return is_band(memory_.get()) && is_band(begin() + bytes_);
}

}  // namespace laclip::simt

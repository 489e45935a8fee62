// CUDA's warp functions: every lane named in the mask must come to the same line.
#pragma once

#include <cstring>

#include "kernels/simt/thread.h"

namespace laclip::simt {

// Every lane gives `value` and receives that of the lane source(lane), if it is in the mask.
template <class T>
struct Exchange {
  T value, result;
  int source;
  static void resolve(void* const* slots) {
    for (int lane = 0; lane < 32; ++lane) {
      auto* self = static_cast<Exchange*>(slots[lane]);
      if (!self) continue;
      const auto* other = static_cast<const Exchange*>(slots[self->source]);
      if (other)
        self->result = other->value;
      else
        std::memset(static_cast<void*>(&self->result), 0xff, sizeof(T));  // undefined in CUDA
    }
  }
};

template <class T>
T exchange(uint32_t mask, const char* name, T value, int source, Place place) {
  Exchange<T> slot{value, value, source};
  warp_collective(mask, name, &slot, &Exchange<T>::resolve, place);
  return slot.result;
}

struct Vote {
  bool value;
  uint32_t ballot;
  static void resolve(void* const* slots) {
    uint32_t ballot = 0;
    for (int lane = 0; lane < 32; ++lane)
      if (slots[lane] && static_cast<const Vote*>(slots[lane])->value) ballot |= 1u << lane;
    for (int lane = 0; lane < 32; ++lane)
      if (slots[lane]) static_cast<Vote*>(slots[lane])->ballot = ballot;
  }
};

inline uint32_t vote(uint32_t mask, const char* name, bool value, Place place) {
  Vote slot{value, 0};
  warp_collective(mask, name, &slot, &Vote::resolve, place);
  return slot.ballot;
}

}  // namespace laclip::simt

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              laclip::simt::Place place = laclip::simt::Place::current()) {
  const int self = laclip::simt::lane_index(), base = self / width * width;
  return laclip::simt::exchange(mask, "__shfl_sync", value, base + (lane & (width - 1)), place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32,
                  laclip::simt::Place place = laclip::simt::Place::current()) {
  const int self = laclip::simt::lane_index(), source = self ^ bits;
  return laclip::simt::exchange(mask, "__shfl_xor_sync", value,
                                source / width > self / width ? self : source, place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32,
                   laclip::simt::Place place = laclip::simt::Place::current()) {
  const int self = laclip::simt::lane_index(), source = self + int(by);
  return laclip::simt::exchange(mask, "__shfl_down_sync", value,
                                source / width != self / width ? self : source, place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32,
                 laclip::simt::Place place = laclip::simt::Place::current()) {
  const int self = laclip::simt::lane_index(), source = self - int(by);
  return laclip::simt::exchange(mask, "__shfl_up_sync", value,
                                source < self / width * width ? self : source, place);
}

inline unsigned __ballot_sync(unsigned mask, bool value,
                              laclip::simt::Place place = laclip::simt::Place::current()) {
  return laclip::simt::vote(mask, "__ballot_sync", value, place);
}
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       laclip::simt::Place place = laclip::simt::Place::current()) {
  laclip::simt::warp_collective(mask, "__syncwarp", nullptr, nullptr, place);
}
inline void __syncthreads(laclip::simt::Place place = laclip::simt::Place::current()) {
  laclip::simt::barrier(place);
}

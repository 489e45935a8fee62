#include "kernels/simt/thread.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/simt/block.h"
#include "kernels/simt/device_memory.h"

namespace laclip::simt {

std::string text_of(const Place& place) {
  return fmt::format("{}:{}", place.file_name(), place.line());
}

Position& position() {
  static constinit thread_local Position value;
  return value;
}

void barrier(Place place) {
  BlockRunner& runner = BlockRunner::of_this_os_thread();
  runner.current().state = Thread::State::at_barrier;
  runner.current().place = place;
  runner.suspend();
}

void warp_collective(uint32_t mask, const char* name, void* slot, Resolve resolve, Place place) {
  BlockRunner& runner = BlockRunner::of_this_os_thread();
  Thread& thread = runner.current();
  check(mask >> runner.lane() & 1, "{}: lane {} calls {} with a mask {:#x} without itself",
        text_of(place), runner.lane(), name, mask);
  thread.state = Thread::State::in_collective;
  thread.place = place;
  thread.mask = mask;
  thread.collective = name;
  thread.slot = slot;
  thread.resolve = resolve;
  runner.suspend();
}

int lane_index() { return BlockRunner::of_this_os_thread().lane(); }

void* shared_memory(size_t bytes, Place place) {
  return BlockRunner::of_this_os_thread().shared().use(bytes, place);
}

void check_shared(const void* address, size_t bytes, Place place) {
  BlockRunner::of_this_os_thread().shared().check_access(address, bytes, place);
}

void check_global(const void* address, size_t bytes, Place place) {
  check(DeviceMemory::instance().holds(address), "{}: an address outside device memory",
        text_of(place));
  check(reinterpret_cast<uintptr_t>(address) % bytes == 0,
        "{}: an address of device memory that is not a multiple of {}", text_of(place), bytes);
}

void check_banks(const void* const (&rows)[8], Place place) {
  if (!settings().banks) return;
  int taken_by[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
  for (int i = 0; i < 8; ++i) {
    if (std::find(rows, rows + i, rows[i]) != rows + i) continue;      // read once for both
    const auto banks = reinterpret_cast<uintptr_t>(rows[i]) / 16 % 8;  // four of them
    check(taken_by[banks] < 0, "{}: rows {} and {} of a matrix lie in the same banks",
          text_of(place), taken_by[banks], i);
    taken_by[banks] = i;
  }
}

void defer_copy(void* to, const void* from, size_t bytes, size_t zeros) {
  BlockRunner& runner = BlockRunner::of_this_os_thread();
  runner.current().copies.defer(to, from, bytes, zeros, runner.shared().poison());
}

void commit_copies() { BlockRunner::of_this_os_thread().current().copies.commit(); }

void wait_copies(size_t groups_left_open) {
  BlockRunner::of_this_os_thread().current().copies.wait(groups_left_open);
}

}  // namespace laclip::simt

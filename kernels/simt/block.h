// Runs the threads of one block after the other on fibers, on the calling OS thread.
//
// A thread runs until it returns or waits. A warp goes on as long as one of its lanes can; then the
// next warp has its turn. When nobody can go on, the barrier opens if all threads stand at it;
// otherwise the kernel is at fault, and the Error names who waits where and who is missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/simt/async_copies.h"
#include "kernels/simt/fiber.h"
#include "kernels/simt/settings.h"
#include "kernels/simt/shared_memory.h"
#include "kernels/simt/thread.h"

namespace laclip::simt {

struct Kernel {
  std::string_view name;
  dim3 grid, block;
  size_t shared_bytes = 0;
  void (*body)(const void* arguments) = nullptr;
  const void* arguments = nullptr;
};

struct Thread {
  enum class State : uint8_t { fresh, ready, at_barrier, in_collective, done };
  State state = State::fresh;
  uint3 index{};
  Fiber* fiber = nullptr;  // while it has begun and not returned
  Place place{};           // where it waits
  // in_collective
  uint32_t mask = 0;
  const char* collective = nullptr;
  void* slot = nullptr;
  Resolve resolve = nullptr;
  AsyncCopies copies;
};

class BlockRunner {
 public:
  static BlockRunner& of_this_os_thread();

  void run(const Kernel& kernel, uint3 block, const Settings& settings);

  // ---- for the running thread (thread.h)
  Thread& current() { return *current_; }
  int lane() const { return int(current_ - threads_.data()) % 32; }
  void suspend() { current_->fiber->suspend(); }
  const SharedMemory& shared() const { return shared_; }

 private:
  static void fiber_main(void* runner);
  Thread* take_fresh();
  void resume(Thread& thread);
  bool run_warp(size_t warp);
  bool resolve_collectives(size_t warp);
  bool open_barrier();
  [[noreturn]] void fail_stuck();
  std::string name_of(const Thread& thread) const;
  void prepare(const Settings& settings);

  const Kernel* kernel_ = nullptr;
  uint3 block_{};
  std::vector<Thread> threads_;
  std::vector<uint32_t> warp_order_, lane_order_;
  size_t warp_begin_ = 0, at_ = 0;  // the sweep over a warp's lanes, in lane_order_
  Thread* current_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* running_ = nullptr;
  SharedMemory shared_;
  std::exception_ptr error_;
};

}  // namespace laclip::simt

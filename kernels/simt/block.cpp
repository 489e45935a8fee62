#include "kernels/simt/block.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/philox.h"

namespace laclip::simt {
namespace {

constexpr size_t kWarp = 32;

bool same(const Place& a, const Place& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::string_view(a.file_name()) == b.file_name();
}

// Whether `other` waits in the collective of `thread`.
bool meet(const Thread& thread, const Thread& other) {
  return other.state == Thread::State::in_collective && other.mask == thread.mask &&
         other.resolve == thread.resolve && same(other.place, thread.place);
}

}  // namespace

BlockRunner& BlockRunner::of_this_os_thread() {
  static thread_local BlockRunner runner;
  return runner;
}

// ---- threads

void BlockRunner::fiber_main(void* argument) {
  auto& self = *static_cast<BlockRunner*>(argument);
  for (;;) {
    Fiber* const fiber = self.running_;
    try {
      // Threads that meet no collective follow one another here, as in a plain loop.
      while (Thread* thread = self.take_fresh()) {
        thread->fiber = fiber;
        self.current_ = thread;
        position().thread = thread->index;
        self.kernel_->body(self.kernel_->arguments);
        self.current_->state = Thread::State::done;
        check(self.current_->copies.empty(), "{} has returned without waiting for its cp.async",
              self.name_of(*self.current_));
      }
    } catch (...) {
      self.error_ = std::current_exception();
    }
    self.idle_.push_back(fiber);
    fiber->suspend();
  }
}

Thread* BlockRunner::take_fresh() {
  while (at_ < kWarp && warp_begin_ + lane_order_[at_] >= threads_.size()) ++at_;
  if (at_ >= kWarp) return nullptr;
  Thread& thread = threads_[warp_begin_ + lane_order_[at_]];
  if (thread.state != Thread::State::fresh) return nullptr;
  ++at_;
  return &thread;
}

void BlockRunner::resume(Thread& thread) {
  thread.state = Thread::State::ready;
  current_ = &thread;
  position().thread = thread.index;
  running_ = thread.fiber;
  thread.fiber->resume();
}

// Runs every lane that can go on; whether one could.
bool BlockRunner::run_warp(size_t warp) {
  warp_begin_ = warp * kWarp;
  bool progress = false;
  for (at_ = 0; at_ < kWarp && !error_;) {
    if (warp_begin_ + lane_order_[at_] >= threads_.size()) {  // beyond the block's last thread
      ++at_;
      continue;
    }
    Thread& thread = threads_[warp_begin_ + lane_order_[at_]];
    if (thread.state == Thread::State::fresh) {
      if (idle_.empty()) {
        fibers_.push_back(std::make_unique<Fiber>(&BlockRunner::fiber_main, this));
        idle_.push_back(fibers_.back().get());
      }
      running_ = idle_.back();
      idle_.pop_back();
      running_->resume();
      progress = true;
      continue;
    }
    ++at_;
    if (thread.state != Thread::State::ready) continue;
    resume(thread);
    progress = true;
  }
  return progress;
}

bool BlockRunner::resolve_collectives(size_t warp) {
  const size_t begin = warp * kWarp, end = std::min(begin + kWarp, threads_.size());
  bool resolved = false;
  for (size_t i = begin; i < end; ++i) {
    const Thread& first = threads_[i];
    if (first.state != Thread::State::in_collective) continue;
    void* slots[kWarp] = {};
    bool complete = true;
    for (size_t lane = 0; lane < kWarp && complete; ++lane) {
      if (!(first.mask >> lane & 1)) continue;
      complete = begin + lane < end;
      if (!complete) break;
      const Thread& other = threads_[begin + lane];
      complete = meet(first, other);
      slots[lane] = other.slot;
    }
    if (!complete) continue;
    if (first.resolve) first.resolve(slots);
    const uint32_t mask = first.mask;
    for (size_t lane = 0; lane < kWarp; ++lane)
      if (mask >> lane & 1) threads_[begin + lane].state = Thread::State::ready;
    resolved = true;
  }
  return resolved;
}

// Opens the barrier if every thread stands at it, at one line.
bool BlockRunner::open_barrier() {
  for (const Thread& thread : threads_)
    if (thread.state != Thread::State::at_barrier || !same(thread.place, threads_[0].place))
      return false;
  for (Thread& thread : threads_) thread.state = Thread::State::ready;
  return true;
}

std::string BlockRunner::name_of(const Thread& thread) const {
  return fmt::format("thread ({}, {}, {}) of block ({}, {}, {})", thread.index.x, thread.index.y,
                     thread.index.z, block_.x, block_.y, block_.z);
}

void BlockRunner::fail_stuck() {
  const auto doing = [&](const Thread& t) {
    switch (t.state) {
      case Thread::State::done:
        return std::string("has returned");
      case Thread::State::at_barrier:
        return "waits at __syncthreads in " + text_of(t.place);
      case Thread::State::in_collective:
        return fmt::format("waits in {} in {}, mask {:#x}", t.collective, text_of(t.place), t.mask);
      default:
        return std::string("is ready");
    }
  };
  for (size_t i = 0; i < threads_.size(); ++i) {
    const Thread& waiting = threads_[i];
    if (waiting.state != Thread::State::in_collective) continue;
    const size_t begin = i / kWarp * kWarp;
    for (size_t lane = 0; lane < kWarp; ++lane) {
      if (!(waiting.mask >> lane & 1)) continue;
      if (begin + lane >= threads_.size())
        fail("{} {}, but the block has no lane {} in that warp", name_of(waiting), doing(waiting),
             lane);
      const Thread& other = threads_[begin + lane];
      if (meet(waiting, other)) continue;
      fail("{} {}, but lane {} is missing: {} {}", name_of(waiting), doing(waiting), lane,
           name_of(other), doing(other));
    }
  }
  const auto at_barrier = std::find_if(threads_.begin(), threads_.end(), [](const Thread& t) {
    return t.state == Thread::State::at_barrier;
  });
  const auto elsewhere = std::find_if(threads_.begin(), threads_.end(), [&](const Thread& t) {
    return t.state != Thread::State::at_barrier || !same(t.place, at_barrier->place);
  });
  fail("{} {}, but {} {}: every thread must come to the same barrier", name_of(*at_barrier),
       doing(*at_barrier), name_of(*elsewhere), doing(*elsewhere));
}

// ---- a block

void BlockRunner::prepare(const Settings& settings) {
  const dim3 size = kernel_->block;
  threads_.resize(size_t(size.x) * size.y * size.z);
  size_t i = 0;
  for (unsigned z = 0; z < size.z; ++z)
    for (unsigned y = 0; y < size.y; ++y)
      for (unsigned x = 0; x < size.x; ++x, ++i) {
        Thread& thread = threads_[i];
        thread.state = Thread::State::fresh;
        thread.index = {x, y, z};
        thread.copies.clear();
      }
  warp_order_.resize((threads_.size() + kWarp - 1) / kWarp);
  lane_order_.resize(kWarp);
  std::iota(warp_order_.begin(), warp_order_.end(), 0u);
  std::iota(lane_order_.begin(), lane_order_.end(), 0u);
  if (settings.order == Order::reversed) {
    std::reverse(warp_order_.begin(), warp_order_.end());
    std::reverse(lane_order_.begin(), lane_order_.end());
  } else if (settings.order == Order::shuffled) {
    Random random(settings.seed, RandomUse::test, block_.x + (uint64_t(block_.y) << 32), block_.z);
    warp_order_ = random.permutation(uint32_t(warp_order_.size()));
    lane_order_ = random.permutation(uint32_t(kWarp));
  }
  shared_.prepare(kernel_->shared_bytes, settings.poison);
}

void BlockRunner::run(const Kernel& kernel, uint3 block, const Settings& settings) {
  kernel_ = &kernel;
  block_ = block;
  position().block = block;
  position().block_size = kernel.block;
  position().grid_size = kernel.grid;
  prepare(settings);
  try {
    for (bool done = false; !done;) {
      bool progress = false;
      for (uint32_t warp : warp_order_) {
        do {
          progress |= run_warp(warp);
          if (error_) std::rethrow_exception(error_);
        } while (resolve_collectives(warp));
      }
      done = std::all_of(threads_.begin(), threads_.end(),
                         [](const Thread& t) { return t.state == Thread::State::done; });
      if (!done && !open_barrier() && !progress) fail_stuck();
    }
    check(shared_.intact(), "block ({}, {}, {}) has written outside its {} bytes of shared memory",
          block_.x, block_.y, block_.z, kernel.shared_bytes);
  } catch (...) {
    // Threads that still wait are given up with their stacks.
    error_ = nullptr;
    idle_.clear();
    fibers_.clear();
    shared_.free();
    throw;
  }
}

}  // namespace laclip::simt

// Fiber: a stack of its own on which a function runs until it switches back. AddressSanitizer is
// told of every switch, so it finds faults on the stacks as it does elsewhere.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

namespace laclip::simt {

class Fiber {
 public:
  // body(argument) begins at the first resume() and never returns.
  Fiber(void (*body)(void*), void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();   // from the scheduler's stack: runs the fiber until it calls suspend()
  void suspend();  // from the fiber: back to where resume() was called

 private:
  static void enter(boost::context::detail::transfer_t from);

  void (*body_)(void*);
  void* argument_;
  std::byte* stack_;  // its lowest page cannot be touched
  boost::context::detail::fcontext_t fiber_, scheduler_ = nullptr;
  // What AddressSanitizer keeps of either side.
  void *fiber_fake_ = nullptr, *scheduler_fake_ = nullptr;
  const void* scheduler_bottom_ = nullptr;
  size_t scheduler_size_ = 0;
};

}  // namespace laclip::simt

#include "kernels/simt/fiber.h"

#include <sys/mman.h>

#include "base/check.h"
#include "kernels/simt/asan.h"

namespace laclip::simt {
namespace {

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

constexpr size_t kGuard = 4096;
// Redzones of AddressSanitizer make frames several times as large.
constexpr size_t kStack = asan::kActive ? 256 << 10 : 64 << 10;

}  // namespace

Fiber::Fiber(void (*body)(void*), void* argument) : body_(body), argument_(argument) {
  void* pages = ::mmap(nullptr, kStack + kGuard, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(pages != MAP_FAILED, "no memory for the stack of a fiber");
  stack_ = static_cast<std::byte*>(pages);
  ::mprotect(stack_, kGuard, PROT_NONE);
  fiber_ = make_fcontext(stack_ + kGuard + kStack, kStack, &Fiber::enter);
}

Fiber::~Fiber() {
  asan::unpoison(stack_, kStack + kGuard);  // a fiber given up leaves the redzones of its frames
  ::munmap(stack_, kStack + kGuard);
}

void Fiber::enter(transfer_t from) {
  auto* self = static_cast<Fiber*>(from.data);
  asan::finish_switch(nullptr, &self->scheduler_bottom_, &self->scheduler_size_);
  self->scheduler_ = from.fctx;
  self->body_(self->argument_);
}

void Fiber::resume() {
  asan::start_switch(&scheduler_fake_, stack_ + kGuard, kStack);
  fiber_ = jump_fcontext(fiber_, this).fctx;
  asan::finish_switch(scheduler_fake_, nullptr, nullptr);
}

void Fiber::suspend() {
  asan::start_switch(&fiber_fake_, scheduler_bottom_, scheduler_size_);
  scheduler_ = jump_fcontext(scheduler_, nullptr).fctx;
  asan::finish_switch(fiber_fake_, &scheduler_bottom_, &scheduler_size_);
}

}  // namespace laclip::simt

// How kernels run on the host: in which order, on what memory, and what is checked on the way.
#pragma once

#include <cstdint>

namespace laclip::simt {

// The order in which the threads of a block and the blocks of a grid run where nothing orders them.
enum class Order : uint8_t { forward, reversed, shuffled };

struct Settings {
  Order order = Order::forward;
  uint64_t seed = 1;      // of `shuffled`
  uint8_t poison = 0xff;  // fills shared memory before a block; 0xff… is NaN in every float type
  // Every launch runs in all orders and on two poisons from the same device memory; a bit that
  // differs afterwards is an Error that names the kernel.
  bool prove = false;
  // Rows of a matrix of ldmatrix that meet in a bank are an Error: the result is right, but a device
  // takes several turns for it.
  bool banks = false;
  // Device memory cannot be touched by host code: the fault says so. Set it before the first
  // allocation.
  bool guard = false;
};

// Those of this process. LACLIP_SIMT=reversed,prove,guard sets them from outside; the words
// are forward, reversed, shuffled, seed=N, poison=N, prove, banks, guard.
Settings& settings();

}  // namespace laclip::simt

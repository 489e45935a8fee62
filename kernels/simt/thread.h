// What the thread of a kernel can ask of the machine. Called from inside a kernel only; the CUDA
// names are in cuda_shim.h and the headers beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>

#include "kernels/simt/vector_types.h"

namespace laclip::simt {

using Place = std::source_location;
std::string text_of(const Place& place);  // file:line

// Where the thread that runs is in its block and grid. The place of this record belongs to the OS thread,
// which no fiber leaves; a variable that is thread_local itself would be simpler, but g++ 12 makes code
// for it that UBSan and the linker take for faulty.
struct Position {
  uint3 thread{}, block{};
  dim3 block_size, grid_size;
};
[[gnu::const]] Position& position();

// Waits for all threads of the block. Each must come to this very line.
void barrier(Place place);

// Waits for the lanes in `mask`, each of which must come with the same mask to the same line, then
// resolve(slots) runs once: slots[lane] is what that lane has passed, null outside the mask. A slot
// may lie on the stack of its thread; what resolve writes there, the thread finds when it goes on.
using Resolve = void (*)(void* const* slots);
void warp_collective(uint32_t mask, const char* name, void* slot, Resolve resolve, Place place);

int lane_index();

// The block's shared memory; Error if fewer than `bytes` were asked for at the launch.
void* shared_memory(size_t bytes, Place place);

// Error if the bytes do not lie in the block's shared memory, or not at a multiple of their number.
void check_shared(const void* address, size_t bytes, Place place);

// Error if the address is not one of device memory, or not a multiple of `bytes`.
void check_global(const void* address, size_t bytes, Place place);

// Error if two of these rows of 16 bytes lie in the same four of the 32 banks, and the settings ask.
void check_banks(const void* const (&rows)[8], Place place);

// cp.async: the copy happens when the thread waits for it. Until then `to` holds the poison.
void defer_copy(void* to, const void* from, size_t bytes, size_t zeros);
void commit_copies();
void wait_copies(size_t groups_left_open);

}  // namespace laclip::simt

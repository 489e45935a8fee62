// What AddressSanitizer must be told of stacks that switch and of memory nobody may touch; nothing
// without it.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define LACLIP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LACLIP_ASAN 1
#endif
#endif

#ifdef LACLIP_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace laclip::simt::asan {

#ifdef LACLIP_ASAN
inline constexpr bool kActive = true;
inline void start_switch(void** fake, const void* bottom, size_t size) {
  __sanitizer_start_switch_fiber(fake, bottom, size);
}
inline void finish_switch(void* fake, const void** bottom, size_t* size) {
  __sanitizer_finish_switch_fiber(fake, bottom, size);
}
inline void poison(void* from, size_t bytes) { __asan_poison_memory_region(from, bytes); }
inline void unpoison(void* from, size_t bytes) { __asan_unpoison_memory_region(from, bytes); }
#else
inline constexpr bool kActive = false;
inline void start_switch(void**, const void*, size_t) {}
inline void finish_switch(void*, const void**, size_t*) {}
inline void poison(void*, size_t) {}
inline void unpoison(void*, size_t) {}
#endif

}  // namespace laclip::simt::asan

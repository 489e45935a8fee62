#include "kernels/simt/launch.h"

#include <atomic>
#include <mutex>

#include "base/check.h"
#include "base/parallel.h"
#include "base/philox.h"
#include "kernels/simt/device_memory.h"

namespace laclip::simt {
namespace {

// Runs every block once, under the given settings.
void run_blocks(const Kernel& kernel, const Settings& settings, int os_threads) {
  const int64_t blocks = int64_t(kernel.grid.x) * kernel.grid.y * kernel.grid.z;
  os_threads = int(std::min<int64_t>(os_threads, blocks));
  std::vector<uint32_t> shuffled;
  if (settings.order == Order::shuffled)
    shuffled =
        Random(settings.seed, RandomUse::test, uint64_t(blocks)).permutation(uint32_t(blocks));
  std::exception_ptr error;
  std::mutex error_mutex;
  std::atomic<bool> stop = false;
  const auto run_one = [&](int64_t i) {
    if (stop) return;
    const int64_t b = settings.order == Order::forward    ? i
                      : settings.order == Order::reversed ? blocks - 1 - i
                                                          : int64_t(shuffled[size_t(i)]);
    const uint3 index{unsigned(b % kernel.grid.x), unsigned(b / kernel.grid.x % kernel.grid.y),
                      unsigned(b / kernel.grid.x / kernel.grid.y)};
    try {
      BlockRunner::of_this_os_thread().run(kernel, index, settings);
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
      stop = true;
    }
  };
  if (os_threads > 1)
    parallel_for(blocks, run_one);
  else
    for (int64_t i = 0; i < blocks; ++i) run_one(i);
  if (error) std::rethrow_exception(error);
}

// Runs the grid in every order and on two poisons from the same memory; the results must have the
// same bits. (A kernel's fault that depends on luck with a GPU is thus a fault here every time.)
void prove(const Kernel& kernel, Settings settings) {
  DeviceMemory& memory = DeviceMemory::instance();
  const MemoryImage before = memory.image();
  settings.order = Order::forward;
  run_blocks(kernel, settings, 1);
  const MemoryImage result = memory.image();
  const auto again = [&](const char* what) {
    memory.restore(before);
    run_blocks(kernel, settings, 1);
    const std::string place = memory.first_difference(result);
    check(place.empty(), "the result {}, first in {}", what, place);
  };
  const char* order = "depends on the order of the threads (is a barrier missing?)";
  settings.order = Order::reversed;
  again(order);
  settings.order = Order::shuffled;
  again(order);
  settings.order = Order::forward;
  settings.poison = uint8_t(~settings.poison);
  if (kernel.shared_bytes > 0) again("depends on shared memory that nobody has written");
}

}  // namespace

void run_grid(const Kernel& kernel) {
  const auto threads = uint64_t(kernel.block.x) * kernel.block.y * kernel.block.z;
  const auto blocks = uint64_t(kernel.grid.x) * kernel.grid.y * kernel.grid.z;
  try {
    // What an H100 (compute capability 9.0) allows.
    check(threads >= 1 && threads <= 1024, "{} threads in a block; 1 to 1024 are possible",
          threads);
    check(kernel.block.z <= 64, "a block of depth {}; at most 64 are possible", kernel.block.z);
    check(blocks >= 1 && kernel.grid.y <= 65535 && kernel.grid.z <= 65535 &&
              kernel.grid.x <= 0x7fffffffu,
          "a grid of {} × {} × {} blocks; at least 1, at most 2³¹-1 × 65535 × 65535 are possible",
          kernel.grid.x, kernel.grid.y, kernel.grid.z);
    check(kernel.shared_bytes <= 227 << 10, "{} bytes of shared memory; at most 227 KiB are there",
          kernel.shared_bytes);
    const DeviceMemory::Access access;
    if (settings().prove)
      prove(kernel, settings());
    else
      run_blocks(kernel, settings(), thread_count());
  } catch (const std::exception& e) {
    throw Error(fmt::format("{}: {}", kernel.name, e.what()));
  }
}

std::string_view kernel_name(std::string_view text) {
  const std::string_view key = "Function = ";
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return text;
  text = text.substr(at + key.size());
  // Up to the ; or ] that ends it, without namespaces before the name.
  size_t end = 0, name = 0;
  for (int depth = 0; end < text.size(); ++end) {
    const char c = text[end];
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == '}') --depth;
    if (depth == 0 && (c == ';' || c == ']')) break;
    if (depth == 0 && c == ':') name = end + 1;
  }
  return text.substr(name, end - name);
}

}  // namespace laclip::simt

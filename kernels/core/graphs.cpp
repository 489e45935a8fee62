#include "kernels/core/graphs.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "kernels/core/cuda_runtime.h"

namespace laclip {

void Graphs::run(std::vector<int64_t> key, const std::function<void()>& work) {
  if (stream_.device() == Device::cpu || stream_.dry_run || stream_.profile ||
      stream_.synchronizes_each_op)
    return work();
  // A recording holds the address of scratch memory, which moves when it grows.
  for (const Scratch* scratch : {&stream_.scratch(), &stream_.workspace()})
    key.push_back(reinterpret_cast<intptr_t>(scratch->data()));
  const auto found = recorded_.find(key);
  if (found == recorded_.end()) {
    constexpr size_t kMost = 1024;
    if (recorded_.size() == kMost) clear();
    work();
    // It may have moved just now: then the key of the next time is another.
    recorded_.emplace(std::move(key), Recording{});
    return;
  }
  Recording& recording = found->second;
  if (!recording.graph && recording.tries < kMostTries) {
    ++recording.tries;
    record(recording, work);
  }
  if (!recording.graph) return work();
  cuda_launch_graph(recording.graph, stream_.handle());
  ++launches_;
}

// An error ends the capture and not the run: `work` may be possible outside of one, as where a
// library synchronizes. If not, it throws there.
void Graphs::record(Recording& recording, const std::function<void()>& work) {
  bool begun = false;
  try {
    cuda_begin_recording(stream_.handle());
    begun = true;
    work();
    begun = false;
    recording.graph = cuda_end_recording(stream_.handle());
  } catch (const std::exception& error) {
    if (begun) cuda_drop_recording(stream_.handle());
    cuda_forget_error();
    if (!std::exchange(warned_, true))
      log_warning("work is not recorded as a CUDA graph, and runs slower: {}", error.what());
  }
}

void Graphs::clear() {
  if (recorded_.empty()) return;
  cuda_settle(stream_.handle());  // none is under way
  for (auto& [key, recording] : recorded_)
    if (recording.graph) cuda_destroy_graph(recording.graph);
  recorded_.clear();
}

}  // namespace laclip

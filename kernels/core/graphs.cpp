#include "kernels/core/graphs.h"

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
    recorded_.emplace(std::move(key), nullptr);
    return;
  }
  void*& graph = found->second;
  if (!graph) {
    cuda_begin_recording(stream_.handle());
    try {
      work();
    } catch (...) {
      cuda_drop_recording(stream_.handle());
      throw;
    }
    graph = cuda_end_recording(stream_.handle());
  }
  cuda_launch_graph(graph, stream_.handle());
  ++launches_;
}

void Graphs::clear() {
  if (recorded_.empty()) return;
  cuda_settle(stream_.handle());  // none is under way
  for (auto& [key, graph] : recorded_)
    if (graph) cuda_destroy_graph(graph);
  recorded_.clear();
}

}  // namespace laclip

// Records repeated work as CUDA graphs, so that one launch replaces many and small kernels do not
// wait for the host.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "kernels/core/stream.h"

namespace laclip {

class Graphs {
 public:
  explicit Graphs(Stream& stream) : stream_(stream) {}
  ~Graphs() { clear(); }
  Graphs(const Graphs&) = delete;
  Graphs& operator=(const Graphs&) = delete;

  // Gives `work` to the stream: whenever `key` is the same, the same ops with the same tensors and
  // attributes, and no copies from or to the host. The first time it is run, so that its scratch
  // memory is there; the second time it is recorded; from then on the recording is launched, and
  // `work` is not called. On the CPU, in a dry run and in a profile it is always run, and also
  // where it could not be recorded twice, with a warning.
  void run(std::vector<int64_t> key, const std::function<void()>& work);

  int64_t launches() const { return launches_; }  // of recordings

 private:
  struct Recording {
    void* graph = nullptr;
    int tries = 0;  // to record it
  };
  static constexpr int kMostTries = 2;  // what has failed in the first may be avoided in the second
  void record(Recording& recording, const std::function<void()>& work);
  void clear();

  Stream& stream_;
  std::map<std::vector<int64_t>, Recording> recorded_;  // seen once at least
  int64_t launches_ = 0;
  bool warned_ = false;
};

}  // namespace laclip

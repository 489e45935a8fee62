// Work that comes again and again, as CUDA graphs: the device is given all of it by one launch, where
// small kernels would otherwise wait for the host.
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
  // `work` is not called. On the CPU, in a dry run and in a profile it is always run.
  void run(std::vector<int64_t> key, const std::function<void()>& work);

  int64_t launches() const { return launches_; }  // of recordings

 private:
  void clear();

  Stream& stream_;
  std::map<std::vector<int64_t>, void*> recorded_;  // null: seen once
  int64_t launches_ = 0;
};

}  // namespace laclip

// Stream: where and in which order ops run, with their scratch memory. Ops on one stream run in the
// order of their calls; on the CPU they are finished when the call returns, on a GPU after
// synchronize(). Streams are not ordered among themselves, but a new one begins when all that others
// were given is done.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/core/device.h"
#include "kernels/core/memory.h"
#include "kernels/core/staging.h"

namespace laclip {

struct OpProfile;  // profile.h

// What a kernel can only find out while it runs ("embedding_forward: row 3: id 49409 …"). The first
// fault of a stream stays there until the host looks.
struct KernelFault {
  enum Code : int32_t { none, id_outside, not_a_number };
  int32_t code;
  int32_t row, value, limit;
  const char* contract;  // of the op, for the host
};
// Where an op's kernels note a fault.
struct FaultSink {
  KernelFault* at;
  const char* contract;
};

struct PackedWeights;  // packed_weights.h

class Stream {
 public:
  explicit Stream(Device device = Device::cpu);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  Device device() const { return device_; }

  // In a dry run ops check their operands and return: it finds the memory a computation needs.
  bool dry_run = false;
  OpProfile* profile = nullptr;
  // A row's result has the same bits whatever rows stand beside it (decoding).
  bool batch_invariant = false;
  // The caller promises that what linear ops are given as weights stays as it is while the stream
  // lives (decoding): the CPU's GEMM packs each of them once and keeps the copy, which takes their
  // memory a second time.
  bool constant_weights = false;
  // LACLIP_SYNC=1: the host waits after each op, so that an error names the op that made it.
  bool synchronizes_each_op = false;

  // Waits until all is done. Error with the first fault that a kernel has met.
  void synchronize();

  // Working memory for the time of one op.
  Scratch& scratch() { return scratch_; }
  // The same of a matrix product, which may be a part of an op that has its own in use.
  Scratch& workspace() { return workspace_; }
  PackedWeights& packed_weights() { return *packed_weights_; }

  // ---- for CUDA implementations
  void* handle() const { return handle_; }  // cudaStream_t
  FaultSink fault() const { return {reinterpret_cast<KernelFault*>(fault_.data()), contract_}; }
  void begin_op(const char* contract) { contract_ = contract; }
  Staging& staging() { return staging_; }

 private:
  Device device_;
  Scratch scratch_, workspace_;
  std::unique_ptr<PackedWeights> packed_weights_;
  Staging staging_;
  Buffer fault_;
  void* handle_ = nullptr;
  const char* contract_ = "";
};

// to = from, of one shape and type, each on any device, in the order of the stream. A host tensor may be
// reused on return; one that is written is filled after synchronize().
void copy(Stream& stream, const Tensor& to, const Tensor& from);

// A tensor where the host can read it: itself, or a copy that is there when the constructor returns,
// of what all streams have made of it.
class HostCopy {
 public:
  explicit HostCopy(const Tensor& from);
  const Tensor& tensor() const { return tensor_; }

 private:
  Buffer memory_;
  Tensor tensor_;
};

// The other way: to = from, where `from` lies on the host and `to` anywhere; done on return.
void copy_from_host(const Tensor& to, const Tensor& from);

}  // namespace laclip

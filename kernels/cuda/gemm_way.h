// Autotuning: by which algorithm a GEMM is fastest on this GPU, the built-in kernels, as plan_gemm divides
// the work, or one of cuBLASLt's. Timed once for each kind of GEMM, and kept in a file of the user's
// cache folder ($XDG_CACHE_HOME/laclip or ~/.cache/laclip), so that later runs take the same algorithm
// and give the same bits.
//
// Row sums (bias gradients) can come along in the library's epilogue, or by a pass of their own over the
// operand; both are timed.
//
// LACLIP_GEMM=own takes the built-in kernels alone, =library the library's first algorithm wherever it has
// one, =library-bgrad the same with row sums in its epilogue wherever it offers that (BGRADB),
// =auto (the default) what is faster. On the host execution auto is own.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "kernels/cuda/gemm.h"

namespace laclip::cuda {

GemmAlgorithm autotuned(Stream& stream, const Gemm& shape, const GemmOperands& operands);

// What the library can do here: its own list, and where there are row sums also what it offers without
// them. The first is what to take without timing; nothing where there is no library.
std::vector<GemmAlgorithm> library_algorithms(const Gemm& shape, const GemmOperands& operands);

// The fastest of the built-in kernels and the candidates. A GEMM that overwrites its result is timed on it,
// one that adds, or reads what it overwrites, on a second one; nothing where there is no memory for that.
// All calls read the same operands, which the L2 cache holds where they are small, as a layer finds
// what the one before has just written; weights that come from memory are not modelled.
std::optional<GemmAlgorithm> fastest(Stream& stream, const Gemm& shape,
                                     const GemmOperands& operands,
                                     const std::vector<GemmAlgorithm>& candidates);

// An algorithm that was found for another number of rows, as it can be taken for this one: by itself, by
// the library's first instead, or by the built-in kernels.
GemmAlgorithm fitting(const GemmAlgorithm& algorithm, const Gemm& shape,
                      const GemmOperands& operands);

// From now on GEMMs of this kind take the built-in kernels in this run, because the library's have failed.
// Warns once. Throws the error with LACLIP_GEMM=library or library-bgrad, which must not pass on
// the built-in kernels.
void refuse_library(const Gemm& shape, const GemmOperands& operands, const Error& error);

// "built-in", "cuBLASLt 13.1.0 algorithm 66, tile 23, stages 36, then row sums"
std::string description(const GemmAlgorithm& algorithm);

// What the GEMMs since the last call were made by, {kind: description}; without those that the
// library was not asked about.
std::map<std::string, std::string> take_used_algorithms();

// GEMMs of one kind take one algorithm: rows are rounded up to an eighth of an octave.
struct GemmKind {
  Gemm shape;
  bool bias, skip, kept, row_sums;
  int alignment;  // of the operands that are there, 16 bytes at most

  GemmKind(const Gemm& shape, const GemmOperands& operands);
  std::string text() const;
  auto operator<=>(const GemmKind&) const = default;
};

// The file: {"about": "NVIDIA H200, cuBLASLt 13.1.0, built-in 3", "algorithms": {KIND: TEXT, …}}. One that
// is about something else, or that cannot be read, is reported in one line and replaced; what
// another process has added is kept. If the file cannot be written, a warning says so and the run continues.
// A kind that cannot be timed (`measure` gives nothing) is not tried again in this run, and not
// kept.
class AlgorithmFile {
 public:
  AlgorithmFile(fs::path path, std::string about);
  std::optional<GemmAlgorithm> algorithm(
      const std::string& kind, const std::function<std::optional<GemmAlgorithm>()>& measure);

 private:
  std::map<std::string, GemmAlgorithm> read();
  void save();

  std::mutex mutex_;
  fs::path path_;
  std::string about_;
  bool foreign_ = false, writable_ = true;
  std::map<std::string, GemmAlgorithm> algorithms_;
  std::set<std::string> unmeasured_;
};

}  // namespace laclip::cuda

// Which way makes a product fastest on this GPU: the own kernels, as plan_gemm divides the work, or one
// of cuBLASLt's algorithms. Measured once for each kind of product, and kept in a file of the user's
// cache folder ($XDG_CACHE_HOME/laclip or ~/.cache/laclip), so that later runs take the same way and
// give the same bits.
//
// LACLIP_GEMM=own takes the own kernels alone, =library the library's first algorithm wherever it has
// one, =auto (the default) what is faster. On the host execution auto is own.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/check.h"
#include "base/file.h"
#include "kernels/cuda/gemm.h"

namespace laclip::cuda {

inline constexpr int kOwnKernels = -1;  // else the number of an algorithm of cuBLASLt

int way_of(Stream& stream, const Gemm& shape, const GemmOperands& operands);

// The fastest of the own kernels and the library's algorithms, timed on results that nobody needs; nothing
// where there is no memory for them.
std::optional<int> fastest_way(Stream& stream, const Gemm& shape, const GemmOperands& operands,
                               int algorithms);

// From now on products of this kind take the own kernels in this run: an algorithm was found for another
// number of rows, or in another run, and has failed here. Warns once. Throws the error with
// LACLIP_GEMM=library, which must not pass on the own kernels.
void refuse_library(const Gemm& shape, const GemmOperands& operands, const Error& error);

// Products of one kind take one way: rows are rounded up to an eighth of an octave.
struct ProductKind {
  Gemm shape;
  bool bias, skip, kept, row_sums;

  ProductKind(const Gemm& shape, const GemmOperands& operands);
  std::string text() const;
  auto operator<=>(const ProductKind&) const = default;
};

// The file: {"about": "NVIDIA H200, cuBLASLt 130100, own 1", "ways": {KEY: WAY, …}}. One that is about
// something else, or broken, is replaced; what another process has added stays. If it cannot be
// written, a warning says so and the run goes on. A product that cannot be measured (`measure` gives
// nothing: no memory for a second result) takes the own kernels in this run.
//
// An algorithm's number is its rank in the library's list for a product; a number of rows nearby, or
// another alignment, can have another algorithm at that rank.
class WayFile {
 public:
  WayFile(fs::path path, std::string about);
  int way(const std::string& key, const std::function<std::optional<int>()>& measure);

 private:
  std::map<std::string, int> read() const;
  void save();

  std::mutex mutex_;
  fs::path path_;
  std::string about_;
  std::map<std::string, int> ways_;
  std::set<std::string> unmeasured_;
  bool writable_ = true;
};

}  // namespace laclip::cuda

// By which algorithm a GEMM is made: the built-in kernels, as plan_gemm divides the work, or one of
// cuBLASLt's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace laclip::cuda {

// The library's own description (cublasLtMatmulAlgo_t), which holds for every number of rows that the
// library's check passes; its rank in the library's list does not.
using CublasltAlgorithm = std::array<uint64_t, 8>;

struct GemmAlgorithm {
  enum class Maker : uint8_t {
    built_in,
    library,
    library_then_sums  // row sums are a pass of their own
  };
  Maker maker = Maker::built_in;
  CublasltAlgorithm of_library{};

  // As it is kept in a file: "built-in", "cuBLASLt 00112233…", "cuBLASLt, then sums 00112233…".
  std::string text() const;
  static std::optional<GemmAlgorithm> parse(std::string_view text);
  bool operator==(const GemmAlgorithm&) const = default;
};

}  // namespace laclip::cuda

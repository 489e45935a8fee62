#include "kernels/cuda/gemm_algorithm.h"

#include <fmt/core.h>

#include <charconv>

namespace laclip::cuda {
namespace {

constexpr std::string_view kBuiltIn = "built-in", kLibrary = "cuBLASLt ",
                           kLibraryThenSums = "cuBLASLt, then sums ";
constexpr size_t kDigits = 16;  // of a word

std::optional<CublasltAlgorithm> parse_words(std::string_view text) {
  CublasltAlgorithm words;
  if (text.size() != kDigits * words.size()) return std::nullopt;
  for (uint64_t& word : words) {
    const char* end = text.data() + kDigits;
    const auto [rest, error] = std::from_chars(text.data(), end, word, 16);
    if (error != std::errc() || rest != end) return std::nullopt;
    text.remove_prefix(kDigits);
  }
  return words;
}

}  // namespace

std::string GemmAlgorithm::text() const {
  if (maker == Maker::built_in) return std::string(kBuiltIn);
  std::string text(maker == Maker::library ? kLibrary : kLibraryThenSums);
  for (const uint64_t word : of_library) text += fmt::format("{:016x}", word);
  return text;
}

std::optional<GemmAlgorithm> GemmAlgorithm::parse(std::string_view text) {
  if (text == kBuiltIn) return GemmAlgorithm{};
  for (const auto& [maker, prefix] :
       {std::pair{Maker::library, kLibrary}, {Maker::library_then_sums, kLibraryThenSums}})
    if (text.starts_with(prefix))
      if (const auto words = parse_words(text.substr(prefix.size())))
        return GemmAlgorithm{maker, *words};
  return std::nullopt;
}

}  // namespace laclip::cuda

// A trained model's text, through its tokenizer.
#include <gtest/gtest.h>

#include "models/llama_generator.h"
#include "models/llama_import.h"
#include "tests/harness/reference_data.h"
#include "tokenizer/tokenizer.h"

namespace laclip {
namespace {

TEST(Stories260kText, TwoHundredGreedySteps) {
  LACLIP_REFERENCE_DATA("stories260k");
  const fs::path data = test::reference_data("stories260k");
  const auto model = load_llama(data / "stories260K.bin", DType::f32);
  const auto tokenizer = load_tokenizer(data / "tok512.bin");
  GeneratorOptions options;
  options.slots = 1;
  options.max_rows = 16;
  options.max_prefix_tokens = 64;
  options.max_new_tokens = 200;
  LlamaGenerator generator(*model, options);
  bool given = false;
  std::string got;
  generator.run(
      [&]() -> std::optional<GenerationRequest> {
        if (std::exchange(given, true)) return std::nullopt;
        return GenerationRequest{0, -1, {1}};
      },
      [&](Generation result) {
        got = tokenizer->decode_continuation({1}, result.tokens);
        return true;
      });
  const std::string want = read_text(data / "expected_greedy_200steps.txt");
  // The reference prints 200 steps; a trailing newline of the file is its own.
  EXPECT_EQ(got.substr(0, want.size() - want.ends_with('\n')),
            want.substr(0, want.size() - want.ends_with('\n')));
  EXPECT_GE(got.size() + 8, want.size());
}

}  // namespace
}  // namespace laclip

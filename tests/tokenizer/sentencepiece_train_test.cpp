#include "tokenizer/sentencepiece_train.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "tests/harness/reference_data.h"
#include "tokenizer/tokenizer.h"

namespace laclip {
namespace {

std::vector<std::string> lines() {
  std::vector<std::string> lines;
  for (const char* colour : {"red", "green", "blue", "crimson"})
    for (const char* kind : {"circle", "square", "star", "lighthouse"})
      lines.push_back(std::string("            a ") + colour + " " + kind + " => the " + kind +
                      " is " + colour);
  return lines;
}

TEST(SentencePieceTraining, GivesALlamaTokenizer) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "tokenizer.model";
  train_sentencepiece(path, lines(), 340);
  const auto tokenizer = load_tokenizer(path);
  EXPECT_EQ(tokenizer->kind(), "sentencepiece");
  EXPECT_EQ(tokenizer->vocabulary(), 340);
  EXPECT_EQ(tokenizer->begin_token(), 1);
  EXPECT_EQ(tokenizer->end_token(), 2);
  // Text comes back as it was: runs of spaces, line ends, bytes that no line held.
  for (const std::string text : {"            a red star =>", "a\n\n   b", "é 2305"})
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  EXPECT_LE(tokenizer->encode("            a lighthouse is crimson").size(), 8u);
  EXPECT_EQ(tokenizer->encode("\n").back(), 3 + '\n');
}

TEST(SentencePieceTraining, TooFewTextsAreAnErrorAndNoFile) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "tokenizer.model";
  EXPECT_THROW(train_sentencepiece(path, {"a b"}, 5000), Error);
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace laclip

#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "base/json.h"
#include "base/philox.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"
#include "tokenizer/byte_pair.h"
#include "tokenizer/clean_text.h"
#include "tokenizer/clip_bpe.h"
#include "tokenizer/llama2c.h"

namespace laclip {
namespace {

using Ids = std::vector<int32_t>;

std::vector<Json> read_jsonl(const fs::path& path) {
  std::vector<Json> rows;
  for (const std::string& line : read_lines(path))
    if (!line.empty()) rows.push_back(Json::parse(line));
  return rows;
}

TEST(ClipTokenizer, ReferenceCases) {
  LACLIP_REFERENCE_DATA("clip-bpe");
  const fs::path folder = test::reference_data("clip-bpe");
  const ClipTokenizer tokenizer(folder / "bpe_simple_vocab_16e6.txt.gz");
  EXPECT_EQ(tokenizer.vocabulary(), 49408);
  int number = 0;
  for (const Json& row : read_jsonl(folder / "golden/cases.jsonl")) {
    EXPECT_EQ(clean_text(row["text"].get<std::string>()), row["clean"].get<std::string>())
        << "case " << number;
    EXPECT_EQ(tokenizer.encode(row["text"].get<std::string>()), row["ids"].get<Ids>())
        << "case " << number << ": " << row["text"];
    ++number;
  }
  EXPECT_EQ(number, 1282);
  for (const Json& row : read_jsonl(folder / "external_cases.jsonl"))
    EXPECT_EQ(tokenizer.encode_for_clip(row["text"].get<std::string>()), row["ids"].get<Ids>());
}

TEST(ClipTokenizer, LongCaptionsEndWithTheEndToken) {
  LACLIP_REFERENCE_DATA("clip-bpe");
  const ClipTokenizer tokenizer(test::reference_data("clip-bpe/bpe_simple_vocab_16e6.txt.gz"));
  std::string text;
  for (int i = 0; i < 100; ++i) text += "dog ";
  const Ids ids = tokenizer.encode_for_clip(text);
  EXPECT_EQ(ids.size(), 77u);
  EXPECT_EQ(ids.front(), 49406);
  EXPECT_EQ(ids.back(), 49407);
  EXPECT_EQ(tokenizer.encode_for_clip("a dog").size(), 4u);
}

TEST(ClipTokenizer, SpecialWordsInCaptionsAreText) {
  LACLIP_REFERENCE_DATA("clip-bpe");
  const ClipTokenizer tokenizer(test::reference_data("clip-bpe/bpe_simple_vocab_16e6.txt.gz"));
  for (const char* text : {"<|endoftext|> a dog", "<start_of_text>"})
    for (int32_t id : tokenizer.encode(text)) EXPECT_LT(id, 49406);
}

void check_cases(const Tokenizer& tokenizer, const fs::path& file, bool with_begin, int expected) {
  int count = 0;
  for (const Json& row : read_jsonl(file)) {
    Ids ids = tokenizer.encode(row["text"].get<std::string>());
    if (with_begin) ids.insert(ids.begin(), *tokenizer.begin_token());
    EXPECT_EQ(ids, row["ids"].get<Ids>()) << row["text"];
    if (row.contains("decoded")) {
      EXPECT_EQ(tokenizer.decode(ids), row["decoded"].get<std::string>()) << row["text"];
    }
    ++count;
  }
  EXPECT_EQ(count, expected);
}

TEST(SentencePiece, ReferenceCases) {
  LACLIP_REFERENCE_DATA("llama-tokenizer");
  const auto tokenizer = load_tokenizer(test::reference_data("llama-tokenizer/tokenizer.model"));
  EXPECT_EQ(tokenizer->kind(), "sentencepiece");
  check_cases(*tokenizer, test::reference_data("llama-tokenizer/golden/cases.jsonl"), false, 1282);
}

TEST(SentencePiece, SharedCases) {
  LACLIP_REFERENCE_DATA("llama-vocab-cases");
  LACLIP_REFERENCE_DATA("llama-tokenizer");
  const auto tokenizer = load_tokenizer(test::reference_data("llama-tokenizer/tokenizer.model"));
  const fs::path folder = test::reference_data("llama-vocab-cases");
  check_cases(*tokenizer, folder / "cases_shared.jsonl", false, 23);
  check_cases(*tokenizer, folder / "hf_transformers_llama_cases.jsonl", true, 11);
}

// The same vocabulary in llama2.c's form gives the same ids.
TEST(Llama2cTokenizer, AgreesWithSentencePiece) {
  LACLIP_REFERENCE_DATA("llama-tokenizer");
  const auto tokenizer = load_tokenizer(test::reference_data("llama-tokenizer/tokenizer.bin"));
  EXPECT_EQ(tokenizer->kind(), "llama2.c");
  int different = 0, count = 0;
  for (const Json& row : read_jsonl(test::reference_data("llama-tokenizer/golden/cases.jsonl"))) {
    different += tokenizer->encode(row["text"].get<std::string>()) != row["ids"].get<Ids>();
    ++count;
  }
  // llama2.c has no normaliser, and SentencePiece normalises some Unicode edge strings.
  EXPECT_LE(different, count / 50);
}

TEST(Llama2cTokenizer, PromptsOfStories) {
  LACLIP_REFERENCE_DATA("stories260k");
  const auto tokenizer = load_tokenizer(test::reference_data("stories260k/tok512.bin"));
  for (const Json& row : read_json(test::reference_data("stories260k/golden/cases.json"))) {
    Ids ids = tokenizer->encode(row["prompt"].get<std::string>());
    ids.insert(ids.begin(), 1);
    EXPECT_EQ(ids, row["ids"].get<Ids>());
  }
}

TEST(Tokenizer, AContinuationKeepsItsLeadingSpace) {
  LACLIP_REFERENCE_DATA("llama-tokenizer");
  const auto tokenizer = load_tokenizer(test::reference_data("llama-tokenizer/tokenizer.model"));
  const Ids all = tokenizer->encode("a dog runs\nfast");
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    const Ids context(all.begin(), all.begin() + long(cut)),
        added(all.begin() + long(cut), all.end());
    EXPECT_EQ(tokenizer->decode(context) + tokenizer->decode_continuation(context, added),
              "a dog runs\nfast");
  }
  const auto newlines = tokenizer->tokens_with_newline();
  EXPECT_TRUE(newlines[13]);
  EXPECT_EQ(std::count(newlines.begin(), newlines.end(), true), 1);
}

TEST(BytePair, TrainsWhatTheTokenizerReads) {
  test::TemporaryFolder folder;
  const std::vector<std::string> captions{"low lower lowest", "new newer newest", "low low",
                                          "naïve"};
  const auto merges = train_byte_pairs(captions, 40);
  // "lo" comes five times, as "ow"; l-o has the smaller ids and goes first.
  ASSERT_GE(merges.size(), 3u);
  EXPECT_EQ(merges[0], "l o");
  write_merges(folder / "v.txt", merges);
  const auto tokenizer = load_tokenizer(folder / "v.txt");
  EXPECT_EQ(tokenizer->vocabulary(), int64_t(512 + merges.size() + 2));
  for (const char* text : {"low newest", "naïve lowest", "unseen words ! 4 2"})
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  EXPECT_EQ(tokenizer->encode("low").size(), 1u);
}

TEST(Tokenizer, ForeignAndDamagedFilesAreErrors) {
  test::TemporaryFolder folder;
  const auto error_of = [&](const std::string& content) {
    write_atomically(folder / "t", content);
    return test::error_of([&] { load_tokenizer(folder / "t")->encode("a dog"); });
  };
  EXPECT_NE(error_of("").find("empty"), std::string::npos);
  EXPECT_NE(error_of("{\"model\": {}}").find("tokenizer.json"), std::string::npos);
  EXPECT_NE(error_of("IQ== 0\nIg== 1\nIw== 2\n").find("tiktoken"), std::string::npos);
  EXPECT_NE(error_of("\x1f\x8b damaged").find("unpack"), std::string::npos);
  EXPECT_NE(error_of("#version\na b c\n").find("t:2"), std::string::npos);
  EXPECT_NE(error_of("some text").find("not a tokenizer"), std::string::npos);
}

TEST(Tokenizer, MutatedFilesNeverCrash) {
  LACLIP_REFERENCE_DATA("stories260k");
  test::TemporaryFolder folder;
  const std::string good = read_text(test::reference_data("stories260k/tok512.bin"));
  Random random(1, RandomUse::test);
  for (int round = 0; round < 300; ++round) {
    std::string content = good.substr(0, random.below(uint32_t(good.size())));
    for (int i = 0; i < 3 && !content.empty(); ++i)
      content[random.below(uint32_t(content.size()))] = char(random.bits());
    write_atomically(folder / "t", content);
    try {
      load_tokenizer(folder / "t")->encode("a dog and a ball");
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace laclip

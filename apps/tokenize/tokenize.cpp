// laclip tokenize: text to ids and back; own vocabularies.
#include <fmt/core.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "apps/command.h"
#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "data/caption_table.h"
#include "data/documents.h"
#include "tokenizer/byte_pair.h"
#include "tokenizer/sentencepiece_train.h"
#include "tokenizer/tokenizer.h"

namespace laclip {
namespace {

struct TokenizeOptions {
  std::string tokenizer, kind = "clip", output;
  std::vector<std::string> train;
  CaptionTableOptions table;
  bool jsonl = false, decode = false;
  int64_t vocabulary = 8192;
};

void train_clip_vocabulary(const TokenizeOptions& o) {
  constexpr int64_t kFixed = 512 + 2;  // byte symbols, start and end
  if (o.vocabulary <= kFixed)
    fail_usage("--vocab-size {}: more than {} is needed", o.vocabulary, kFixed);
  constexpr int64_t kMost = 49408;
  if (o.vocabulary > kMost)
    fail_usage(
        "--vocab-size {}: CLIP's vocabulary has {} tokens, and no reader takes more of a file",
        o.vocabulary, kMost);
  std::vector<std::string> captions;
  for (const std::string& file : o.train) {
    const CaptionTable table = read_captions(file, o.table);
    for (size_t i = 0; i < table.captions.size(); ++i) captions.emplace_back(table.captions[i]);
  }
  const auto merges = train_byte_pairs(captions, size_t(o.vocabulary - kFixed));
  write_merges(o.output, merges);
  log_info("{}: a vocabulary of {} tokens from {} captions", o.output,
           kFixed + int64_t(merges.size()), captions.size());
}

void train_llama_vocabulary(const TokenizeOptions& o) {
  std::vector<std::string> lines;
  for (const std::string& file : o.train)
    for (const std::string& document : read_documents(file))
      for (size_t begin = 0; begin < document.size();) {
        const size_t end = std::min(document.find('\n', begin), document.size());
        if (end > begin) lines.push_back(document.substr(begin, end - begin));
        begin = end + 1;
      }
  train_sentencepiece(o.output, lines, o.vocabulary);
  log_info("{}: a vocabulary of {} pieces from {} lines", o.output, o.vocabulary, lines.size());
}

void train_vocabulary(const TokenizeOptions& o) {
  if (o.output.empty()) fail_usage("--train needs --output FILE for the vocabulary");
  if (o.kind == "clip") return train_clip_vocabulary(o);
  train_llama_vocabulary(o);
}

void tokenize(const TokenizeOptions& o) {
  if (!o.train.empty()) return train_vocabulary(o);
  if (o.tokenizer.empty()) fail_usage("--tokenizer FILE is missing (or --train CAPTIONS)");
  const auto tokenizer = load_tokenizer(o.tokenizer);
  std::string line;
  for (int64_t number = 1; std::getline(std::cin, line); ++number) {
    const std::string place = fmt::format("line {}", number);
    if (o.decode) {
      const Json ids = parse_json(line, place);
      check(ids.is_array() && std::all_of(ids.begin(), ids.end(),
                                          [](const Json& id) { return id.is_number_integer(); }),
            "{}: an array of whole numbers is needed, found {}", place, line.substr(0, 60));
      const std::string text = tokenizer->decode(ids.get<std::vector<int32_t>>());
      fmt::print("{}\n", o.jsonl ? Json(text).dump() : text);
      continue;
    }
    const Json value = o.jsonl ? parse_json(line, place) : Json(line);
    check(value.is_string(), "{}: a JSON string is needed", place);
    fmt::print("{}\n", Json(tokenizer->encode(value.get<std::string>())).dump());
  }
}

}  // namespace

void add_tokenize_command(Program& program) {
  Command command =
      program.add_command("tokenize",
                          "text to ids and back (standard input and output); train a vocabulary");
  auto o = std::make_shared<TokenizeOptions>();
  command.add_option("--tokenizer", o->tokenizer,
                     "CLIP vocabulary, tokenizer.model or tokenizer.bin");
  command.add_flag("--jsonl", o->jsonl, "texts are JSON strings, one a line");
  command.add_flag("--decode", o->decode, "from arrays of ids to text");
  command
      .add_option("--train", o->train,
                  "make a vocabulary from these files of captions (clip) or documents (llama)")
      .type_name("FILE");
  command.add_option("--kind", o->kind, "of --train: CLIP's byte-level BPE, or SentencePiece")
      .among({"clip", "llama"});
  command.add_option("--caption-column", o->table.column,
                     "of --train with a table between tabs: a number or a name");
  command.add_option("--vocab-size", o->vocabulary, "of --train").check(kPositive);
  command.add_option("-o,--output", o->output, "file of --train");
  command.callback([o] { tokenize(*o); });
}

}  // namespace laclip

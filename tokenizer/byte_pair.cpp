#include "tokenizer/byte_pair.h"

#include <map>
#include <set>
#include <unordered_map>

#include "tokenizer/clean_text.h"
#include "tokenizer/clip_bpe.h"

namespace laclip {
namespace {

using Pair = std::pair<int32_t, int32_t>;
struct PairHash {
  size_t operator()(const Pair& p) const {
    return std::hash<uint64_t>{}(uint64_t(uint32_t(p.first)) << 32 | uint32_t(p.second));
  }
};

struct Word {
  std::vector<int32_t> parts;
  int64_t count;
};

struct PairUse {
  int64_t count = 0;
  std::set<int32_t> words;  // that may hold it
};

}  // namespace

std::vector<std::string> train_byte_pairs(const std::vector<std::string>& captions, size_t merges) {
  const ByteSymbols& symbols = byte_symbols();
  std::map<std::string, int64_t> counts;
  for (const std::string& caption : captions)
    for (const std::string& word : split_words(clean_text(caption))) ++counts[word];

  std::vector<std::string> text_of(512);
  for (int id = 0; id < 256; ++id) {
    text_of[size_t(id)] = symbols.text_of_byte[symbols.byte_of_id[id]];
    text_of[size_t(id) + 256] = text_of[size_t(id)] + "</w>";
  }
  std::vector<Word> words;
  std::unordered_map<Pair, PairUse, PairHash> pairs;
  std::set<std::pair<int64_t, Pair>> queue;  // (-count, pair): the most frequent first
  auto change = [&](Pair pair, int64_t by, int32_t word) {
    PairUse& use = pairs[pair];
    if (use.count > 0) queue.erase({-use.count, pair});
    use.count += by;
    if (by > 0) use.words.insert(word);
    if (use.count > 0) queue.emplace(-use.count, pair);
  };
  for (const auto& [text, count] : counts) {
    Word word{{}, count};
    for (char c : text) word.parts.push_back(symbols.id_of_byte[uint8_t(c)]);
    word.parts.back() += 256;
    words.push_back(std::move(word));
    const auto& parts = words.back().parts;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      change({parts[i], parts[i + 1]}, count, int32_t(words.size() - 1));
  }

  std::vector<std::string> result;
  while (result.size() < merges && !queue.empty() && -queue.begin()->first > 1) {
    const Pair best = queue.begin()->second;
    const auto id = int32_t(text_of.size());
    result.push_back(text_of[size_t(best.first)] + " " + text_of[size_t(best.second)]);
    text_of.push_back(text_of[size_t(best.first)] + text_of[size_t(best.second)]);
    const std::set<int32_t> touched = pairs[best].words;
    for (int32_t w : touched) {
      auto& [parts, count] = words[size_t(w)];
      for (size_t i = 0; i + 1 < parts.size(); ++i) change({parts[i], parts[i + 1]}, -count, w);
      std::vector<int32_t> merged;
      for (size_t i = 0; i < parts.size(); ++i) {
        const bool here =
            i + 1 < parts.size() && parts[i] == best.first && parts[i + 1] == best.second;
        merged.push_back(here ? id : parts[i]);
        i += here;
      }
      parts = std::move(merged);
      for (size_t i = 0; i + 1 < parts.size(); ++i) change({parts[i], parts[i + 1]}, count, w);
    }
    pairs.erase(best);
  }
  return result;
}

void write_merges(const fs::path& path, const std::vector<std::string>& merges) {
  std::string text = "#version: 0.2 laclip\n";
  for (const std::string& merge : merges) text += merge + "\n";
  write_atomically(path, text);
}

}  // namespace laclip

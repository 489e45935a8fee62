#include "tokenizer/clip_bpe.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <climits>

#include "base/check.h"
#include "tokenizer/clean_text.h"
#include "tokenizer/unicode.h"

namespace laclip {
namespace {

constexpr size_t kClipMerges = 49152 - 256 - 2;  // the file holds more; CLIP uses these
constexpr size_t kMaxText = size_t(1) << 28;     // of an unpacked vocabulary
constexpr size_t kCachedWords = 1 << 18;

std::string read_vocabulary(const fs::path& path) {
  std::string content = read_text(path);
  if (!content.starts_with("\x1f\x8b")) return content;
  z_stream stream{};
  check(inflateInit2(&stream, 15 + 16) == Z_OK, "{}: cannot start unpacking", path.string());
  stream.next_in = reinterpret_cast<Bytef*>(content.data());
  stream.avail_in = uInt(content.size());
  std::string text;
  std::array<char, 1 << 16> block;
  int status = Z_OK;
  while (status == Z_OK && text.size() < kMaxText) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = uInt(block.size());
    status = inflate(&stream, Z_NO_FLUSH);
    text.append(block.data(), block.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  check(status == Z_STREAM_END, "{}: cannot unpack this vocabulary; it is cut off or damaged",
        path.string());
  return text;
}

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}

}  // namespace

ByteSymbols::ByteSymbols() {
  int next = 0, shifted = 0;
  auto add = [&](int byte, char32_t c) {
    byte_of_id[next] = byte;
    id_of_byte[byte] = next++;
    append_utf8(text_of_byte[byte], c);
    byte_of_text[text_of_byte[byte]] = byte;
  };
  auto shown = [](int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; };
  for (int b = 0; b < 256; ++b)
    if (shown(b)) add(b, char32_t(b));
  for (int b = 0; b < 256; ++b)
    if (!shown(b)) add(b, char32_t(256 + shifted++));
}

const ByteSymbols& byte_symbols() {
  static const ByteSymbols symbols;
  return symbols;
}

ClipTokenizer::ClipTokenizer(const fs::path& path) {
  const std::string text = read_vocabulary(path);
  const ByteSymbols& symbols = byte_symbols();
  std::unordered_map<std::string, int32_t> ids;  // by the text of the merges file
  for (bool end : {false, true})
    for (int id = 0; id < 256; ++id) {
      const int byte = symbols.byte_of_id[id];
      ids[symbols.text_of_byte[byte] + (end ? "</w>" : "")] = int32_t(bytes_of_.size());
      bytes_of_.emplace_back(1, char(byte));
      ends_word_.push_back(end);
    }
  size_t line_number = 0, count = 0;
  for (size_t begin = 0; begin < text.size() && count < kClipMerges;) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line_number++ == 0 || line.empty()) continue;  // the first line is a header
    const size_t space = line.find(' ');
    check(space != std::string::npos && line.find(' ', space + 1) == std::string::npos,
          "{}:{}: '{}' is not a merge of two symbols; is this a CLIP vocabulary?", path.string(),
          line_number, line.substr(0, 40));
    const auto left = ids.find(line.substr(0, space)), right = ids.find(line.substr(space + 1));
    check(left != ids.end() && right != ids.end(),
          "{}:{}: a part of the merge '{}' is not known yet; "
          "the file is damaged",
          path.string(), line_number, line.substr(0, 40));
    const auto id = int32_t(bytes_of_.size());
    merges_.emplace(pair_key(left->second, right->second), id);
    bytes_of_.push_back(bytes_of_[size_t(left->second)] + bytes_of_[size_t(right->second)]);
    ends_word_.push_back(ends_word_[size_t(right->second)]);
    ids.emplace(left->first + right->first, id);
    ++count;
  }
  check(count > 0, "{}: no merges in this vocabulary", path.string());
}

std::vector<std::string> split_words(std::string_view cleaned) {
  const std::u32string text = decode_utf8(cleaned);
  std::vector<std::string> words;
  auto other = [](char32_t c) { return !is_space(c) && !is_letter(c) && !is_number(c); };
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    if (text[at] == '\'') {
      for (const char32_t* suffix : {U"s", U"t", U"re", U"ve", U"m", U"ll", U"d"}) {
        const std::u32string_view wanted = suffix;
        if (text.compare(at + 1, wanted.size(), wanted) == 0) {
          end = at + 1 + wanted.size();
          break;
        }
      }
    }
    if (end == at && is_letter(text[at]))
      while (end < text.size() && is_letter(text[end])) ++end;
    else if (end == at && is_number(text[at]))
      ++end;
    else if (end == at)
      while (end < text.size() && other(text[end])) ++end;
    words.push_back(encode_utf8(std::u32string_view(text).substr(at, end - at)));
    at = end;
  }
  return words;
}

void ClipTokenizer::encode_word(const std::string& word, std::vector<int32_t>& ids) const {
  const ByteSymbols& symbols = byte_symbols();
  std::vector<int32_t> parts;
  for (char c : word) parts.push_back(symbols.id_of_byte[uint8_t(c)]);
  parts.back() += 256;
  while (parts.size() > 1) {
    int32_t best = INT32_MAX;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      if (const auto found = merges_.find(pair_key(parts[i], parts[i + 1])); found != merges_.end())
        best = std::min(best, found->second);
    if (best == INT32_MAX) break;
    size_t out = 0;
    for (size_t i = 0; i < parts.size(); ++i, ++out) {  // all occurrences, from the left
      const auto found =
          i + 1 < parts.size() ? merges_.find(pair_key(parts[i], parts[i + 1])) : merges_.end();
      if (found != merges_.end() && found->second == best)
        parts[out] = best, ++i;
      else
        parts[out] = parts[i];
    }
    parts.resize(out);
  }
  ids.insert(ids.end(), parts.begin(), parts.end());
}

std::vector<int32_t> ClipTokenizer::encode(std::string_view text) const {
  std::vector<int32_t> ids;
  for (const std::string& word : split_words(clean_text(text))) {
    {
      std::lock_guard lock(mutex_);
      if (const auto found = words_.find(word); found != words_.end()) {
        ids.insert(ids.end(), found->second.begin(), found->second.end());
        continue;
      }
    }
    const size_t before = ids.size();
    encode_word(word, ids);
    std::lock_guard lock(mutex_);
    if (words_.size() < kCachedWords)
      words_.emplace(word, std::vector<int32_t>(ids.begin() + long(before), ids.end()));
  }
  return ids;
}

std::vector<int32_t> ClipTokenizer::encode_for_clip(std::string_view text,
                                                    int context_length) const {
  std::vector<int32_t> ids{*begin_token()};
  const auto words = encode(text);
  ids.insert(ids.end(), words.begin(), words.end());
  ids.push_back(*end_token());
  if (int(ids.size()) > context_length) {
    ids.resize(size_t(context_length));
    ids.back() = *end_token();
  }
  return ids;
}

std::string ClipTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text;
  for (int32_t id : ids) {
    check(id >= 0 && id < vocabulary(), "token {} is outside the vocabulary of {}", id,
          vocabulary());
    if (size_t(id) >= bytes_of_.size()) continue;
    text += bytes_of_[size_t(id)];
    if (ends_word_[size_t(id)]) text += ' ';
  }
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace laclip

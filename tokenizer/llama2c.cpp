#include "tokenizer/llama2c.h"

#include <algorithm>
#include <cstring>
#include <queue>

#include "base/check.h"

namespace laclip {
namespace {

constexpr int32_t kFirstByte = 3;  // <unk>, <s>, </s>, then <0x00> …

size_t code_point_length(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

}  // namespace

std::optional<std::vector<Llama2cTokenizer::Piece>> Llama2cTokenizer::parse(
    std::string_view content) {
  std::vector<Piece> pieces;
  uint32_t longest;
  if (content.size() < 4) return std::nullopt;
  std::memcpy(&longest, content.data(), 4);
  for (size_t at = 4; at < content.size();) {
    float score;
    uint32_t length;
    if (content.size() - at < 8) return std::nullopt;
    std::memcpy(&score, content.data() + at, 4);
    std::memcpy(&length, content.data() + at + 4, 4);
    at += 8;
    if (length > longest || length > content.size() - at) return std::nullopt;
    pieces.push_back({std::string(content.substr(at, length)), score});
    at += length;
  }
  if (pieces.size() < size_t(kFirstByte + 256)) return std::nullopt;
  return pieces;
}

bool Llama2cTokenizer::recognises(std::string_view content) { return parse(content).has_value(); }

Llama2cTokenizer::Llama2cTokenizer(const fs::path& path) {
  auto pieces = parse(read_text(path));
  check(pieces.has_value(), "{}: not a llama2.c tokenizer, or it is cut off", path.string());
  pieces_ = std::move(*pieces);
  for (size_t i = 0; i < pieces_.size(); ++i) ids_.emplace(pieces_[i].text, int32_t(i));
}

std::vector<int32_t> Llama2cTokenizer::encode(std::string_view input) const {
  if (input.empty()) return {};
  const std::string text = " " + std::string(input);
  struct Symbol {
    int32_t id;
    int previous, next;
  };
  std::vector<Symbol> symbols;
  auto push = [&](int32_t id) {
    symbols.push_back({id, int(symbols.size()) - 1, int(symbols.size()) + 1});
  };
  for (size_t at = 0; at < text.size();) {
    const size_t length = std::min(code_point_length(uint8_t(text[at])), text.size() - at);
    const auto found = ids_.find(text.substr(at, length));
    if (found != ids_.end())
      push(found->second);
    else
      for (size_t i = 0; i < length; ++i) push(kFirstByte + uint8_t(text[at + i]));
    at += length;
  }
  symbols.back().next = -1;

  struct Merge {
    float score;
    int left, right;
    int32_t left_id, right_id, id;
    bool operator<(const Merge& other) const {  // best score first, then leftmost
      return score < other.score || (score == other.score && left > other.left);
    }
  };
  std::priority_queue<Merge> merges;
  auto offer = [&](int left) {
    if (left < 0 || symbols[size_t(left)].next < 0) return;
    const int right = symbols[size_t(left)].next;
    const int32_t a = symbols[size_t(left)].id, b = symbols[size_t(right)].id;
    const auto found = ids_.find(pieces_[size_t(a)].text + pieces_[size_t(b)].text);
    if (found == ids_.end()) return;
    merges.push({pieces_[size_t(found->second)].score, left, right, a, b, found->second});
  };
  for (int i = 0; i + 1 < int(symbols.size()); ++i) offer(i);
  while (!merges.empty()) {
    const Merge merge = merges.top();
    merges.pop();
    Symbol &left = symbols[size_t(merge.left)], &right = symbols[size_t(merge.right)];
    if (left.id != merge.left_id || right.id != merge.right_id || left.next != merge.right)
      continue;
    left.id = merge.id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols[size_t(left.next)].previous = merge.left;
    offer(left.previous);
    offer(merge.left);
  }
  std::vector<int32_t> ids;
  for (int i = 0; i >= 0; i = symbols[size_t(i)].next) ids.push_back(symbols[size_t(i)].id);
  return ids;
}

std::string Llama2cTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text;
  for (int32_t id : ids) {
    check(id >= 0 && id < vocabulary(), "token {} is outside the vocabulary of {}", id,
          vocabulary());
    if (id < kFirstByte) continue;
    if (id < kFirstByte + 256)
      text += char(id - kFirstByte);
    else
      text += pieces_[size_t(id)].text;
  }
  if (text.starts_with(' ')) text.erase(0, 1);  // the space that encode puts before
  return text;
}

}  // namespace laclip

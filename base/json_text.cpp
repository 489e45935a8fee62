// JSON as text (RFC 8259): the parser and the writer.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/check.h"
#include "base/json.h"

namespace laclip {
namespace {

constexpr int kDeepest = 512;  // arrays and objects in each other; the parser calls itself

struct Utf8 {
  size_t bytes;  // of the character; of a broken one those that may belong to it, at least one
  bool whole;
};

Utf8 utf8_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : uint8_t(0); };
  const uint8_t first = byte(at);
  if (first < 0x80) return {1, true};
  if (first < 0xc2 || first > 0xf4) return {1, false};
  const size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  // The second byte rules out longer forms than needed, surrogates, and what lies above U+10FFFF.
  const uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(at + 1) < least || byte(at + 1) > most) return {1, false};
  for (size_t i = 2; i < length; ++i)
    if ((byte(at + i) & 0xc0) != 0x80) return {i, false};
  return {length, true};
}

void append_utf8(std::string& text, uint32_t code) {
  const auto tail = [&](int shift) { text += char(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    text += char(code);
  } else if (code < 0x800) {
    text += char(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += char(0xe0 | code >> 12);
    tail(6), tail(0);
  } else {
    text += char(0xf0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

class Parser {
 public:
  Parser(std::string_view text, Json::SameNames names) : text_(text), names_(names) {}

  Json document() {
    accept("\xef\xbb\xbf");  // a byte order mark
    Json json = value(0);
    skip_spaces();
    if (at_ != text_.size()) fail_here("nothing more is expected");
    return json;
  }

 private:
  [[noreturn]] void fail_here(const char* what) const {
    const std::string_view before = text_.substr(0, at_);
    const size_t line = before.rfind('\n');
    throw JsonError(fmt::format("line {}, column {}: {}{}",
                                std::count(before.begin(), before.end(), '\n') + 1,
                                at_ - (line == before.npos ? 0 : line + 1) + 1, what,
                                at_ == text_.size() ? ", but the text ends" : ""));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void skip_spaces() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
  }
  bool digit() const { return peek() >= '0' && peek() <= '9'; }

  Json value(int depth) {
    skip_spaces();
    switch (peek()) {
      case '{':
        return object(depth + 1);
      case '[':
        return array(depth + 1);
      case '"':
        return string();
      default:
        break;
    }
    if (accept("true")) return true;
    if (accept("false")) return false;
    if (accept("null")) return nullptr;
    if (peek() == '-' || digit()) return number();
    fail_here("a value is needed");
  }

  void check_depth(int depth) const {
    if (depth > kDeepest) fail_here("more values lie in each other than are supported (512)");
  }

  Json array(int depth) {
    check_depth(depth);
    ++at_;
    Json json = Json::array();
    skip_spaces();
    if (accept("]")) return json;
    while (true) {
      json.push_back(value(depth));
      skip_spaces();
      if (accept("]")) return json;
      if (!accept(",")) fail_here("',' or ']' is needed");
    }
  }

  Json object(int depth) {
    check_depth(depth);
    ++at_;
    Json json = Json::object();
    skip_spaces();
    if (accept("}")) return json;
    while (true) {
      skip_spaces();
      if (peek() != '"') fail_here("a name in quotes is needed");
      const std::string name = string();
      if (names_ == Json::SameNames::fault && json.contains(name))
        throw JsonError(fmt::format("'{}' is listed twice", name));
      skip_spaces();
      if (!accept(":")) fail_here("':' is needed");
      json[name] = value(depth);
      skip_spaces();
      if (accept("}")) return json;
      if (!accept(",")) fail_here("',' or '}' is needed");
    }
  }

  Json number() {
    const size_t begin = at_;
    bool whole = true;
    accept("-");
    if (!digit()) fail_here("a digit is needed");
    if (!accept("0")) skip_digits();
    if (accept(".")) {
      whole = false;
      if (!digit()) fail_here("a digit is needed");
      skip_digits();
    }
    if (accept("e") || accept("E")) {
      whole = false;
      if (!accept("+")) accept("-");
      if (!digit()) fail_here("a digit is needed");
      skip_digits();
    }
    const std::string digits(text_.substr(begin, at_ - begin));
    const char *first = digits.data(), *last = first + digits.size();
    int64_t integer = 0;
    uint64_t natural = 0;
    if (whole && std::from_chars(first, last, integer).ec == std::errc()) return integer;
    if (whole && std::from_chars(first, last, natural).ec == std::errc()) return natural;
    const double real = std::strtod(first, nullptr);
    if (!std::isfinite(real)) fail_here("the number before this is too large");
    return real;
  }
  void skip_digits() {
    while (digit()) ++at_;
  }

  uint32_t four_digits() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail_here("\\u takes four hexadecimal digits");
      code = code * 16 + uint32_t(digit);
    }
    return code;
  }

  void escape(std::string& to) {
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const size_t known = kLetters.find(peek());
    if (known != kLetters.npos && at_ < text_.size()) {
      ++at_;
      to += kMeanings[known];
      return;
    }
    if (!accept("u")) fail_here("this escape is unknown");
    uint32_t code = four_digits();
    if (code >= 0xd800 && code < 0xdc00) {
      if (!accept("\\u")) fail_here("the second half of a surrogate pair is needed");
      const uint32_t low = four_digits();
      if (low < 0xdc00 || low > 0xdfff) fail_here("this is no second half of a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
      fail_here("a surrogate pair begins with its first half");
    }
    append_utf8(to, code);
  }

  std::string string() {
    std::string text;
    ++at_;
    while (true) {
      if (at_ >= text_.size()) fail_here("'\"' is needed");
      if (accept("\"")) return text;
      if (accept("\\")) {
        escape(text);
        continue;
      }
      if (uint8_t(peek()) < 0x20) fail_here("control characters are escaped in a string");
      const Utf8 character = utf8_at(text_, at_);
      if (!character.whole) fail_here("this is not UTF-8");
      text += text_.substr(at_, character.bytes);
      at_ += character.bytes;
    }
  }

  std::string_view text_;
  Json::SameNames names_;
  size_t at_ = 0;
};

}  // namespace

class JsonWriter {
 public:
  explicit JsonWriter(int indent) : indent_(indent) {}

  void write(const Json& json, int depth) {
    switch (json.kind_) {
      case Json::Kind::null:
        text += "null";
        break;
      case Json::Kind::boolean:
        text += json.integer_ ? "true" : "false";
        break;
      case Json::Kind::integer:
        text += std::to_string(json.integer_);
        break;
      case Json::Kind::natural:
        text += std::to_string(uint64_t(json.integer_));
        break;
      case Json::Kind::real:
        real(json.real_);
        break;
      case Json::Kind::string:
        string(json.text_);
        break;
      case Json::Kind::array:
      case Json::Kind::object:
        elements(json, depth);
        break;
    }
  }

  std::string text;

 private:
  void line(int depth) {
    if (indent_ < 0) return;
    text += '\n';
    text.append(size_t(indent_ * depth), ' ');
  }

  void elements(const Json& json, int depth) {
    text += json.is_object() ? '{' : '[';
    for (size_t i = 0; i < json.size(); ++i) {
      if (i > 0) text += ',';
      line(depth + 1);
      if (json.is_object()) {
        string(json.names_[i]);
        text += indent_ < 0 ? ":" : ": ";
      }
      write(json.elements_[i], depth + 1);
    }
    if (!json.empty()) line(depth);
    text += json.is_object() ? '}' : ']';
  }

  // The shortest digits that give the number back, always recognisable as no integer.
  void real(double value) {
    if (!std::isfinite(value)) {
      text += "null";
      return;
    }
    char buffer[32];
    char* end =
        std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
    const std::string_view all(buffer, size_t(end - buffer));  // -d.ddde±dd
    const size_t e = all.find('e');
    std::string digits(all.substr(0, e));
    const int point = std::atoi(std::string(all.substr(e + 1)).c_str()) + 1;  // digits before it
    if (digits[0] == '-') {
      text += '-';
      digits.erase(0, 1);
    }
    if (digits.size() > 1) digits.erase(1, 1);  // the point
    const int count = int(digits.size());
    if (value == 0)
      text += "0.0";
    else if (count <= point && point <= 15)
      text += digits + std::string(size_t(point - count), '0') + ".0";
    else if (0 < point && point <= 15)
      text += digits.insert(size_t(point), ".");
    else if (-4 < point && point <= 0)
      text += "0." + std::string(size_t(-point), '0') + digits;
    else
      text += (count > 1 ? digits.insert(1, ".") : digits) + fmt::format("e{:+03}", point - 1);
  }

  void string(std::string_view value) {
    constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
    text += '"';
    for (size_t at = 0; at < value.size();) {
      const Utf8 character = utf8_at(value, at);
      const char c = value[at];
      if (const size_t known = kEscaped.find(c); known != kEscaped.npos) {
        text += '\\';
        text += kLetters[known];
      } else if (uint8_t(c) < 0x20) {
        text += fmt::format("\\u{:04x}", int(c));
      } else if (character.whole) {
        text += value.substr(at, character.bytes);
      } else {
        text += "\xef\xbf\xbd";
      }
      at += character.bytes;
    }
    text += '"';
  }

  int indent_;
};

std::string Json::dump(int indent) const {
  JsonWriter writer(indent);
  writer.write(*this, 0);
  return std::move(writer.text);
}

Json Json::parse(std::string_view text, SameNames names) { return Parser(text, names).document(); }

bool Json::accept(std::string_view text) {
  try {
    parse(text);
    return true;
  } catch (const JsonError&) {
    return false;
  }
}

}  // namespace laclip

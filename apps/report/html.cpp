#include "apps/report/html.h"

#include <algorithm>
#include <cstdint>

namespace laclip {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The length of the UTF-8 sequence at the start of `text`; 0 if there is none (cut off, overlong,
// a surrogate, above U+10FFFF).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : uint8_t(0); };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t a = byte(0), b = byte(1);
  if (a < 0x80) return 1;
  if (a >= 0xC2 && a <= 0xDF) return follows(1) ? 2 : 0;
  if (a >= 0xE0 && a <= 0xEF) {
    if ((a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F)) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (a >= 0xF0 && a <= 0xF4) {
    if ((a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F)) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// Tags inside a line of text: no line end is written behind them.
bool is_inline(std::string_view tag) {
  constexpr std::string_view kInline[] = {"a", "b", "code", "span", "small", "strong", "em", "img"};
  return std::find(std::begin(kInline), std::end(kInline), tag) != std::end(kInline);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const char c = text[0];
    const size_t length = utf8_length(text);
    const bool control = (uint8_t(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    if (length == 0 || control)
      result += kReplacement;
    else if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else if (c == '\'')
      result += "&#39;";
    else
      result += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return result;
}

void Html::open(std::string_view tag, const Attributes& attributes, bool closed) {
  out_.append("<").append(tag);
  for (const auto& [name, value] : attributes)
    out_.append(" ").append(name).append("=\"").append(escape_html(value)).append("\"");
  out_ += closed ? "/>" : ">";
}

void Html::close(std::string_view tag) {
  out_.append("</").append(tag).append(">");
  if (!is_inline(tag)) out_ += "\n";
}

void Html::empty(std::string_view tag, const Attributes& attributes) {
  open(tag, attributes, false);
  if (!is_inline(tag)) out_ += "\n";
}

}  // namespace laclip

#include "tokenizer/clean_text.h"

#include <cstdint>

#include "tokenizer/html_entities.h"
#include "tokenizer/unicode.h"

namespace laclip {
namespace {

// The byte that shows as `c` when read as Windows-1252 (undefined bytes as Latin-1), or -1.
int windows_1252_byte(char32_t c) {
  if (c >= 0xa0 && c <= 0xff) return int(c);
  for (int i = 0; i < 32; ++i)
    if (kWindows1252[i] == c || c == char32_t(0x80 + i)) return 0x80 + i;
  return -1;
}

// Sequences that are UTF-8 once their characters are taken as Windows-1252 bytes again.
std::u32string repair_mojibake(const std::u32string& text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    const char32_t first = text[at];
    const size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                          : first >= 0xe0 && first <= 0xef ? 3
                          : first >= 0xf0 && first <= 0xf4 ? 4
                                                           : 0;
    char32_t value = length == 2 ? first & 0x1f : length == 3 ? first & 0x0f : first & 0x07;
    size_t i = 1;
    for (; i < length && at + i < text.size(); ++i) {
      const int byte = windows_1252_byte(text[at + i]);
      if (byte < 0x80 || byte > 0xbf) break;
      value = value << 6 | char32_t(byte & 0x3f);
    }
    const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    const bool good = length > 0 && i == length && !overlong && value <= 0x10ffff &&
                      !(value >= 0xd800 && value <= 0xdfff);
    out += good ? value : first;
    at += good ? length : 1;
  }
  return out;
}

bool is_removed(char32_t c) {  // control characters without a meaning in text
  return c < 9 || c == 11 || (c >= 14 && c <= 31) || c == 127 || c == 0xfeff ||
         (c >= 0x206a && c <= 0x206f) || (c >= 0xfff9 && c <= 0xfffc);
}

// "ESC [ … letter", the colour codes of terminals; the number of characters.
size_t terminal_escape(const std::u32string& text, size_t at) {
  if (text[at] != 0x1b || at + 1 >= text.size() || text[at + 1] != '[') return 0;
  size_t i = at + 2;
  while (i < text.size() && ((text[i] >= '0' && text[i] <= '9') || text[i] == ';')) ++i;
  const bool ends = i < text.size() && ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'z');
  return ends ? i + 1 - at : 0;
}

void append_fixed(std::u32string& out, char32_t c) {
  switch (c) {
    case 0x2018:
    case 0x2019:
    case 0x201a:
    case 0x201b:
    case 0x02bc:
      out += U'\'';
      return;
    case 0x201c:
    case 0x201d:
    case 0x201e:
    case 0x201f:
      out += U'"';
      return;
    case 0x0132:
      out += U"IJ";
      return;
    case 0x0133:
      out += U"ij";
      return;
    case 0xfb00:
      out += U"ff";
      return;
    case 0xfb01:
      out += U"fi";
      return;
    case 0xfb02:
      out += U"fl";
      return;
    case 0xfb03:
      out += U"ffi";
      return;
    case 0xfb04:
      out += U"ffl";
      return;
    case 0xfb05:
      out += U"\u017ft";
      return;
    case 0xfb06:
      out += U"st";
      return;
    case 0x2028:
    case 0x2029:
    case 0x85:
      out += U'\n';
      return;
    case 0x3000:
      out += U' ';
      return;
    default:
      break;
  }
  if (c >= 0xff01 && c <= 0xff5e)
    out += c - 0xff01 + 0x21;  // full-width ASCII
  else if (c >= 0xff61 && c <= 0xffee)
    out += half_width_form(c);
  else if (!is_removed(c))
    out += c;
}

std::u32string fix_characters(const std::u32string& text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    if (const size_t escape = terminal_escape(text, at))
      at += escape;
    else
      append_fixed(out, text[at++]);
  }
  return out;
}

std::u32string collapse_spaces(const std::u32string& text) {
  std::u32string out;
  for (char32_t c : text) {
    if (!is_space(c))
      out += c;
    else if (!out.empty() && out.back() != U' ')
      out += U' ';
  }
  if (!out.empty() && out.back() == U' ') out.pop_back();
  return out;
}

bool is_plain(std::string_view text) {  // printable ASCII without references
  for (char c : text)
    if (uint8_t(c) < 32 || uint8_t(c) > 126 || c == '&') return false;
  return true;
}

}  // namespace

std::string clean_text(std::string_view input) {
  std::u32string text = decode_utf8(input);
  if (!is_plain(input)) {
    // ftfy resolves references by itself where nothing looks like a tag.
    if (text.find(U'<') == std::u32string::npos) text = unescape_html(text);
    text = fix_characters(repair_mojibake(text));
    text = decode_utf8(normalize_nfc(encode_utf8(text)));
    text = unescape_html(unescape_html(text));
  }
  return encode_utf8(to_lower(collapse_spaces(text)));
}

}  // namespace laclip

#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include <cstdlib>

namespace laclip {

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t c = -1;
    const auto length =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                         utf8proc_ssize_t(text.size() - at), &c);
    out += length > 0 ? char32_t(c) : U'\uFFFD';
    at += length > 0 ? size_t(length) : 1;
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(utf8proc_int32_t(c), bytes);
  out.append(reinterpret_cast<const char*>(bytes), size_t(length));
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  for (char32_t c : text) append_utf8(out, c);
  return out;
}

bool is_letter(char32_t c) {
  if (c < 128) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  const auto category = utf8proc_category(utf8proc_int32_t(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_number(char32_t c) {
  if (c < 128) return c >= '0' && c <= '9';
  const auto category = utf8proc_category(utf8proc_int32_t(c));
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool is_space(char32_t c) {
  if (c < 128) return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
  const auto category = utf8proc_category(utf8proc_int32_t(c));
  return c == 0x85 || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

std::u32string to_lower(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c < 128) {
      out += c >= 'A' && c <= 'Z' ? c + 32 : c;
    } else if (c == U'\u0130') {  // I with dot: the only one that becomes two
      out += U"i\u0307";
    } else if (c == U'\u03a3') {  // sigma at the end of a word
      const bool after = i > 0 && is_letter(text[i - 1]);
      const bool before = i + 1 < text.size() && is_letter(text[i + 1]);
      out += after && !before ? U'\u03c2' : U'\u03c3';
    } else {
      out += char32_t(utf8proc_tolower(utf8proc_int32_t(c)));
    }
  }
  return out;
}

char32_t half_width_form(char32_t c) {
  utf8proc_int32_t mapped[4];
  const auto length =
      utf8proc_decompose_char(utf8proc_int32_t(c), mapped, 4,
                              utf8proc_option_t(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT), nullptr);
  return length == 1 ? char32_t(mapped[0]) : c;
}

std::string normalize_nfc(const std::string& text) {
  bool ascii = true;
  for (char c : text) ascii &= uint8_t(c) < 128;
  if (ascii) return text;
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   utf8proc_ssize_t(text.size()), &mapped,
                                   utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0) return text;
  std::string out(reinterpret_cast<char*>(mapped), size_t(length));
  std::free(mapped);
  return out;
}

}  // namespace laclip

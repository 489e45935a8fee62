// UTF-8 and character classes, by utf8proc.
#pragma once

#include <string>
#include <string_view>

namespace laclip {

// Bytes that are no UTF-8 become U+FFFD.
std::u32string decode_utf8(std::string_view text);
void append_utf8(std::string& out, char32_t c);
std::string encode_utf8(std::u32string_view text);

bool is_letter(char32_t c);                         // \p{L}
bool is_number(char32_t c);                         // \p{N}
bool is_space(char32_t c);                          // \s of Python
std::u32string to_lower(std::u32string_view text);  // as Python's str.lower
char32_t half_width_form(char32_t c);  // the full form of a half-width character (NFKC)
std::string normalize_nfc(const std::string& text);

}  // namespace laclip

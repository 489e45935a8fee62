// UTF-8 and character classes, by utf8proc.
#pragma once

#include <string>
#include <string_view>

namespace laclip {

// The characters of the bytes 0x80..0x9f in Windows-1252; undefined bytes as in Latin-1.
inline constexpr char32_t kWindows1252[32] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026,
                                              0x2020, 0x2021, 0x2c6,  0x2030, 0x160,  0x2039,
                                              0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018,
                                              0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                              0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,
                                              0x17e,  0x178};

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

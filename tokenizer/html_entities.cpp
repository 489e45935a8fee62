#include "tokenizer/html_entities.h"

#include <cstdint>
#include <map>
#include <sstream>
#include <string_view>

#include "tokenizer/unicode.h"

namespace laclip {
namespace {

// name and code point of each entity (HTML 4.01, section 24)
constexpr std::string_view kNames =
    "quot 34 amp 38 lt 60 gt 62 nbsp 160 iexcl 161 cent 162 pound 163 curren 164 yen 165 brvbar "
    "166 sect 167 uml 168 copy 169 ordf 170 laquo 171 not 172 shy 173 reg 174 macr 175 deg 176 "
    "plusmn 177 sup2 178 sup3 179 acute 180 micro 181 para 182 middot 183 cedil 184 sup1 185 ordm "
    "186 raquo 187 frac14 188 frac12 189 frac34 190 iquest 191 Agrave 192 Aacute 193 Acirc 194 "
    "Atilde 195 Auml 196 Aring 197 AElig 198 Ccedil 199 Egrave 200 Eacute 201 Ecirc 202 Euml 203 "
    "Igrave 204 Iacute 205 Icirc 206 Iuml 207 ETH 208 Ntilde 209 Ograve 210 Oacute 211 Ocirc 212 "
    "Otilde 213 Ouml 214 times 215 Oslash 216 Ugrave 217 Uacute 218 Ucirc 219 Uuml 220 Yacute 221 "
    "THORN 222 szlig 223 agrave 224 aacute 225 acirc 226 atilde 227 auml 228 aring 229 aelig 230 "
    "ccedil 231 egrave 232 eacute 233 ecirc 234 euml 235 igrave 236 iacute 237 icirc 238 iuml 239 "
    "eth 240 ntilde 241 ograve 242 oacute 243 ocirc 244 otilde 245 ouml 246 divide 247 oslash 248 "
    "ugrave 249 uacute 250 ucirc 251 uuml 252 yacute 253 thorn 254 yuml 255 OElig 338 oelig 339 "
    "Scaron 352 scaron 353 Yuml 376 fnof 402 circ 710 tilde 732 Alpha 913 Beta 914 Gamma 915 "
    "Delta 916 Epsilon 917 Zeta 918 Eta 919 Theta 920 Iota 921 Kappa 922 Lambda 923 Mu 924 Nu 925 "
    "Xi 926 Omicron 927 Pi 928 Rho 929 Sigma 931 Tau 932 Upsilon 933 Phi 934 Chi 935 Psi 936 "
    "Omega 937 alpha 945 beta 946 gamma 947 delta 948 epsilon 949 zeta 950 eta 951 theta 952 iota "
    "953 kappa 954 lambda 955 mu 956 nu 957 xi 958 omicron 959 pi 960 rho 961 sigmaf 962 sigma "
    "963 tau 964 upsilon 965 phi 966 chi 967 psi 968 omega 969 thetasym 977 upsih 978 piv 982 "
    "ensp 8194 emsp 8195 thinsp 8201 zwnj 8204 zwj 8205 lrm 8206 rlm 8207 ndash 8211 mdash 8212 "
    "lsquo 8216 rsquo 8217 sbquo 8218 ldquo 8220 rdquo 8221 bdquo 8222 dagger 8224 Dagger 8225 "
    "bull 8226 hellip 8230 permil 8240 prime 8242 Prime 8243 lsaquo 8249 rsaquo 8250 oline 8254 "
    "frasl 8260 euro 8364 image 8465 weierp 8472 real 8476 trade 8482 alefsym 8501 larr 8592 uarr "
    "8593 rarr 8594 darr 8595 harr 8596 crarr 8629 lArr 8656 uArr 8657 rArr 8658 dArr 8659 hArr "
    "8660 forall 8704 part 8706 exist 8707 empty 8709 nabla 8711 isin 8712 notin 8713 ni 8715 "
    "prod 8719 sum 8721 minus 8722 lowast 8727 radic 8730 prop 8733 infin 8734 ang 8736 and 8743 "
    "or 8744 cap 8745 cup 8746 int 8747 there4 8756 sim 8764 cong 8773 asymp 8776 ne 8800 equiv "
    "8801 le 8804 ge 8805 sub 8834 sup 8835 nsub 8836 sube 8838 supe 8839 oplus 8853 otimes 8855 "
    "perp 8869 sdot 8901 lceil 8968 rceil 8969 lfloor 8970 rfloor 8971 lang 9001 rang 9002 loz "
    "9674 spades 9824 clubs 9827 hearts 9829 diams 9830 ";

const std::map<std::u32string, char32_t>& names() {
  static const auto table = [] {
    std::map<std::u32string, char32_t> map;
    std::istringstream in{std::string(kNames)};
    std::string name;
    for (uint32_t code; in >> name >> code;) map[{name.begin(), name.end()}] = code;
    map[U"apos"] = U'\'';
    for (const char32_t* upper : {U"AMP", U"LT", U"GT", U"QUOT", U"COPY", U"REG"}) {
      std::u32string lower = upper;
      for (char32_t& c : lower) c += 32;
      map[upper] = map[lower];
    }
    return map;
  }();
  return table;
}

bool is_digit(char32_t c, bool hex) {
  return (c >= '0' && c <= '9') || (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

// Reads "&#…;" at text[at]; the number of characters, 0 if it is none.
size_t numeric(const std::u32string& text, size_t at, std::u32string& out) {
  size_t i = at + 2;
  const bool hex = i < text.size() && (text[i] == 'x' || text[i] == 'X');
  if (hex) ++i;
  uint64_t value = 0;
  const size_t first = i;
  for (; i < text.size() && is_digit(text[i], hex); ++i) {
    const char32_t c = text[i];
    value = value * (hex ? 16 : 10) + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    if (value > 0x110000) value = 0x110000;
  }
  if (i == first) return 0;
  if (i < text.size() && text[i] == ';') ++i;
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value >= 0x80 && value < 0xa0)  // these numbers mean Windows-1252
    out += kWindows1252[value - 0x80];
  else if (value == 0 || value > 0x10ffff || surrogate)
    out += U'\uFFFD';
  else if (value >= 0x20 || value == '\t' || value == '\n' || value == '\r' || value == '\f')
    out += char32_t(value);  // other control characters vanish
  return i - at;
}

// Reads "&name;", or a Latin-1 name without its semicolon, longest first.
size_t named(const std::u32string& text, size_t at, std::u32string& out) {
  std::u32string name;
  size_t i = at + 1;
  while (i < text.size() && name.size() < 32 &&
         (is_digit(text[i], false) || ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'z')))
    name += text[i++];
  const bool closed = i < text.size() && text[i] == ';';
  if (const auto found = names().find(name); closed && found != names().end()) {
    out += found->second;
    return i + 1 - at;
  }
  for (; name.size() > 1; name.pop_back()) {
    const auto found = names().find(name);
    if (found == names().end() || found->second > 255 || name == U"apos") continue;
    out += found->second;
    return name.size() + 1;
  }
  return 0;
}

}  // namespace

std::u32string unescape_html(const std::u32string& text) {
  if (text.find(U'&') == std::u32string::npos) return text;
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    size_t used = 0;
    if (text[at] == '&' && at + 1 < text.size())
      used = text[at + 1] == '#' ? numeric(text, at, out) : named(text, at, out);
    if (used == 0)
      out += text[at++];
    else
      at += used;
  }
  return out;
}

}  // namespace laclip

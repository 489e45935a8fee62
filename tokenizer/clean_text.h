// CLIP's cleaning of a caption, before its BPE: what ftfy.fix_text repairs, HTML references
// resolved twice, runs of white space to one space, lower case.
//
// Of ftfy: UTF-8 that was read as Windows-1252 ("CafÃ©"), curled quotes, Latin ligatures,
// full-width and half-width forms, line separators, control characters, terminal escapes, NFC. Its
// repair of other mix-ups of encodings is left out.
#pragma once

#include <string>
#include <string_view>

namespace laclip {

std::string clean_text(std::string_view text);

}  // namespace laclip

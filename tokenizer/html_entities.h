// HTML character references (&amp; &eacute; &#8217; &#x2019;), as Python's html.unescape reads
// them, with the 252 names of HTML 4. A name of Latin-1 also counts without its semicolon.
#pragma once

#include <string>

namespace laclip {

std::u32string unescape_html(const std::u32string& text);

}  // namespace laclip

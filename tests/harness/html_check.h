// A look at HTML as text: whether it is well formed, how often something stands in it.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace laclip::test {

// "" if every element is closed in order and every attribute is quoted; else what is wrong.
inline std::string malformed(const std::string& page) {
  const std::vector<std::string> empty{"!DOCTYPE", "meta", "img", "br"};
  std::vector<std::string> open;
  for (size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at)) {
    const std::string place = page.substr(at, 60);
    if (page[at + 1] == '/') {
      const size_t end = page.find('>', at);
      const std::string tag = page.substr(at + 2, end - at - 2);
      if (open.empty() || open.back() != tag) return "closes nothing: " + place;
      open.pop_back();
      at = end;
      continue;
    }
    size_t end = page.find_first_of(" />", at);
    const std::string tag = page.substr(at + 1, end - at - 1);
    while (page[end] == ' ' && tag != "!DOCTYPE") {  // name="value"
      const size_t equals = page.find_first_of("=> ", end + 1);
      if (page[equals] != '=' || page[equals + 1] != '"') return "attribute: " + place;
      const size_t quote = page.find('"', equals + 2);
      if (page.substr(equals + 2, quote - equals - 2).find_first_of("<>") != std::string::npos)
        return "attribute with < or >: " + place;
      end = quote + 1;
    }
    if (tag == "!DOCTYPE") end = page.find('>', end);
    const bool closed = page[end] == '/';
    if (page[end + (closed ? 1 : 0)] != '>') return "tag: " + place;
    if (!closed && std::find(empty.begin(), empty.end(), tag) == empty.end()) open.push_back(tag);
    at = end;
  }
  return open.empty() ? "" : "left open: " + open.back();
}

inline size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace laclip::test

// A small writer of HTML and SVG: it escapes every text and attribute, and its elements are
// balanced by construction.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace laclip {

// &, <, > and quotes as entities; bytes that are no UTF-8 and control characters as U+FFFD.
std::string escape_html(std::string_view text);

using Attributes = std::vector<std::pair<std::string_view, std::string>>;

class Html {
 public:
  // <tag …>, what `body` writes, </tag>.
  template <class Body>
  void nest(std::string_view tag, const Attributes& attributes, Body&& body) {
    open(tag, attributes, false);
    body();
    close(tag);
  }
  void element(std::string_view tag, std::string_view text, const Attributes& attributes = {}) {
    nest(tag, attributes, [&] { this->text(text); });
  }
  void empty(std::string_view tag, const Attributes& attributes);  // HTML's <img …>, <meta …>
  void shape(std::string_view tag, const Attributes& attributes) { open(tag, attributes, true); }
  void text(std::string_view text) { out_ += escape_html(text); }
  void raw(std::string_view markup) { out_ += markup; }  // of our own making only
  std::string unique_id() { return "id" + std::to_string(++ids_); }

  const std::string& str() const { return out_; }

 private:
  void open(std::string_view tag, const Attributes& attributes, bool closed);
  void close(std::string_view tag);
  std::string out_;
  int ids_ = 0;
};

}  // namespace laclip

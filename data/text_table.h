// Many short texts in two arrays: millions of captions without a heap block each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace laclip {

class TextTable {
 public:
  void add(std::string_view text) {
    text_ += text;
    ends_.push_back(text_.size());
  }
  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i ? ends_[i - 1] : 0;
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }
  // A stable fingerprint of the content (FNV-1a), for manifests.
  uint64_t digest(uint64_t hash = 0xcbf29ce484222325u) const {
    for (char c : text_) hash = (hash ^ uint8_t(c)) * 0x100000001b3u;
    for (size_t end : ends_) hash = (hash ^ end) * 0x100000001b3u;
    return hash;
  }

 private:
  std::string text_;
  std::vector<size_t> ends_;
};

}  // namespace laclip

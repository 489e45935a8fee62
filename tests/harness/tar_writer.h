// A tar archive (ustar) built in memory, for tests of its readers.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace laclip::test {

class TarWriter {
 public:
  TarWriter& add(const std::string& name, std::string_view content, char type = '0') {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    put_octal(header, 100, 8, 0644);
    put_octal(header, 124, 12, content.size());
    put_octal(header, 136, 12, 0);
    header.replace(148, 8, "        ");
    header[156] = type;
    header.replace(257, 8, std::string("ustar\00000", 8));
    unsigned sum = 0;
    for (char c : header) sum += uint8_t(c);
    put_octal(header, 148, 8, sum);
    bytes_ += header;
    bytes_ += content;
    bytes_.resize((bytes_.size() + 511) / 512 * 512);
    return *this;
  }
  std::string finish() const { return bytes_ + std::string(1024, '\0'); }

 private:
  static void put_octal(std::string& header, size_t at, int width, size_t value) {
    char text[16];
    std::snprintf(text, sizeof text, "%0*zo", width - 1, value);
    header.replace(at, size_t(width), std::string(text) + '\0');
  }
  std::string bytes_;
};

}  // namespace laclip::test

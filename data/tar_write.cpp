#include "data/tar_write.h"

#include "base/check.h"

namespace laclip {
namespace {

constexpr size_t kTarBlock = 512;

void put(std::string& header, size_t at, std::string_view text) {
  header.replace(at, text.size(), text);
}

// Octal digits and a closing zero byte in a field of `width` bytes.
void put_octal(std::string& header, size_t at, size_t width, size_t value) {
  put(header, at, fmt::format("{:0{}o}", value, width - 1));
}

}  // namespace

TarWriter& TarWriter::add(const std::string& name, std::string_view content, char type) {
  check(name.size() <= 100, "{}: a name in a tar archive has 100 bytes at most", name);
  check(content.size() < size_t(1) << 33, "{}: {} bytes are too many for a tar archive", name,
        content.size());
  std::string header(kTarBlock, '\0');
  put(header, 0, name);
  put_octal(header, 100, 8, 0644);             // mode
  put_octal(header, 124, 12, content.size());  // size
  put_octal(header, 136, 12, 0);               // time: equal content gives equal archives
  put(header, 148, "        ");                // the checksum counts as spaces
  header[156] = type;
  put(header, 257, std::string_view("ustar\00000", 8));
  size_t sum = 0;
  for (char c : header) sum += uint8_t(c);
  put_octal(header, 148, 8, sum);
  bytes_ += header;
  bytes_ += content;
  bytes_.resize((bytes_.size() + kTarBlock - 1) / kTarBlock * kTarBlock);
  return *this;
}

std::string TarWriter::finish() const { return bytes_ + std::string(2 * kTarBlock, '\0'); }

}  // namespace laclip

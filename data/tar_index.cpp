#include "data/tar_index.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace laclip {
namespace {

constexpr uint64_t kBlock = 512;
constexpr uint64_t kMaxExtension = 1 << 20;  // of a long name or a PAX header

// The fields of a header block (POSIX ustar).
struct Header {
  char name[100], mode[8], uid[8], gid[8], size[12], time[12], checksum[8], type, link[100],
      magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
static_assert(sizeof(Header) == kBlock);

template <size_t N>
std::string text_of(const char (&field)[N]) {
  return {field, strnlen(field, N)};
}

// An octal number, or GNU's base 256 if the first bit is set.
template <size_t N>
std::optional<uint64_t> number_of(const char (&field)[N]) {
  uint64_t value = 0;
  if (uint8_t(field[0]) == 0x80) {
    for (size_t i = 1; i < N; ++i) {
      if (value >> 56) return std::nullopt;
      value = value << 8 | uint8_t(field[i]);
    }
    return value;
  }
  size_t i = 0;
  while (i < N && field[i] == ' ') ++i;
  for (; i < N && field[i] >= '0' && field[i] <= '7'; ++i)
    value = value << 3 | uint64_t(field[i] - '0');
  if (i < N && field[i] != 0 && field[i] != ' ') return std::nullopt;
  return value;
}

bool checksum_fits(const Header& header) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
  uint64_t sum = 0, signed_sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= offsetof(Header, checksum) && i < offsetof(Header, type);
    sum += own ? ' ' : bytes[i];
    signed_sum += uint64_t(own ? ' ' : int8_t(bytes[i]));
  }
  const auto stored = number_of(header.checksum);
  return stored && (*stored == sum || *stored == signed_sum);
}

struct Pax {
  std::optional<std::string> path;
  std::optional<uint64_t> size;
  bool sparse = false;
};

// Records "LENGTH KEY=VALUE\n".
void parse_pax(std::string_view text, Pax& pax) {
  while (!text.empty()) {
    char* end = nullptr;
    const uint64_t length = std::strtoull(std::string(text.substr(0, 20)).c_str(), &end, 10);
    const size_t space = text.find(' ');
    if (length < 5 || length > text.size() || space == std::string_view::npos || space >= length)
      return;
    const std::string_view record = text.substr(space + 1, length - space - 2);
    const size_t equals = record.find('=');
    if (equals != std::string_view::npos) {
      const auto key = record.substr(0, equals), value = record.substr(equals + 1);
      if (key == "path") pax.path = std::string(value);
      if (key == "size") pax.size = std::strtoull(std::string(value).c_str(), nullptr, 10);
      if (key.starts_with("GNU.sparse")) pax.sparse = true;
    }
    text.remove_prefix(length);
  }
}

}  // namespace

TarIndex index_tar(std::span<const std::byte> archive) {
  TarIndex index;
  std::optional<std::string> long_name;
  Pax pax, global;
  for (uint64_t at = 0;;) {
    if (at + kBlock > archive.size()) {
      index.fault = archive.empty() ? "an empty file"
                                    : fmt::format("the archive ends at byte {} without an end mark",
                                                  archive.size());
      return index;
    }
    Header header;
    std::memcpy(&header, archive.data() + at, kBlock);
    const auto* raw = reinterpret_cast<const char*>(&header);
    if (std::all_of(raw, raw + kBlock, [](char c) { return c == 0; }))
      return index;  // the end mark
    if (!checksum_fits(header)) {
      index.fault = fmt::format("no tar header at byte {}", at);
      return index;
    }
    const char type = header.type;
    auto size = number_of(header.size);
    if (pax.size && type != 'x' && type != 'g') size = pax.size;
    const uint64_t begin = at + kBlock;
    if (!size || *size > archive.size() - begin) {
      index.fault = fmt::format("the member '{}' at byte {} reaches behind the end of the archive",
                                text_of(header.name), at);
      return index;
    }
    const std::string_view content(reinterpret_cast<const char*>(archive.data()) + begin,
                                   std::min(*size, kMaxExtension));
    if (type == 'L') {
      long_name = std::string(content.substr(0, strnlen(content.data(), content.size())));
    } else if (type == 'x') {
      pax = global;
      parse_pax(content, pax);
    } else if (type == 'g') {
      parse_pax(content, global);
      pax = global;
    } else {
      if ((type == '0' || type == 0 || type == '7') && !pax.sparse) {
        std::string name = text_of(header.name);
        const bool ustar = std::memcmp(header.magic, "ustar", 5) == 0 && header.magic[5] == 0;
        if (const std::string prefix = text_of(header.prefix); ustar && !prefix.empty())
          name = prefix + "/" + name;
        if (long_name) name = *long_name;
        if (pax.path) name = *pax.path;
        if (!name.ends_with('/')) index.members.push_back({name, begin, *size});
      }
      long_name.reset();
      pax = global;
    }
    const uint64_t padded = (*size + kBlock - 1) / kBlock * kBlock;
    at = begin + padded;
  }
}

}  // namespace laclip

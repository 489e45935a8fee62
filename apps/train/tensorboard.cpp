#include "apps/train/tensorboard.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <ctime>

namespace laclip {
namespace {

constexpr std::array<uint32_t, 256> crc_table = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}();

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

template <class T>
void put(std::string& out, T value) {  // little-endian
  for (size_t i = 0; i < sizeof(T); ++i) out += char(value >> (8 * i));
}

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += char(value | 0x80);
  out += char(value);
}

// The protobuf field types in use: varint, 64 bit, length-delimited, 32 bit.
void put_key(std::string& out, int field, int type) {
  put_varint(out, uint64_t(field << 3 | type));
}
void put_double(std::string& out, int field, double value) {
  put_key(out, field, 1);
  put(out, std::bit_cast<uint64_t>(value));
}
void put_float(std::string& out, int field, float value) {
  put_key(out, field, 5);
  put(out, std::bit_cast<uint32_t>(value));
}
void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_key(out, field, 2);
  put_varint(out, bytes.size());
  out += bytes;
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

fs::path event_file(const fs::path& folder) {
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  return folder / fmt::format("events.out.tfevents.{}.{}.{}", std::time(nullptr), host, getpid());
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (char byte : bytes) crc = (crc >> 8) ^ crc_table[(crc ^ uint8_t(byte)) & 0xff];
  return ~crc;
}

std::string tfrecord(std::string_view payload) {
  std::string out;
  put(out, uint64_t(payload.size()));
  put(out, masked(crc32c(out)));
  out += payload;
  put(out, masked(crc32c(payload)));
  return out;
}

TensorboardWriter::TensorboardWriter(const fs::path& folder, int64_t first_step)
    : file_((make_folders(folder), event_file(folder))) {
  std::string event;
  put_double(event, 1, wall_time());
  put_bytes(event, 3, "brain.Event:2");
  record(event);
  if (first_step <= 1) return;
  // A resumed run: readers drop what earlier files hold from this step on.
  std::string start, session;
  put_double(start, 1, wall_time());
  put_key(start, 2, 0);
  put_varint(start, uint64_t(first_step));
  put_key(session, 1, 0);
  put_varint(session, 1);  // SessionLog::START
  put_bytes(start, 7, session);
  record(start);
}

void TensorboardWriter::scalars(int64_t step,
                                const std::vector<std::pair<std::string, double>>& values) {
  std::string summary;
  for (const auto& [tag, number] : values) {
    std::string value;
    put_bytes(value, 1, tag);
    put_float(value, 2, float(number));
    put_bytes(summary, 1, value);
  }
  std::string event;
  put_double(event, 1, wall_time());
  put_key(event, 2, 0);
  put_varint(event, uint64_t(step));
  put_bytes(event, 5, summary);
  record(event);
}

void TensorboardWriter::record(const std::string& event) { file_.append(tfrecord(event)); }

}  // namespace laclip

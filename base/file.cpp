#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace laclip {
namespace {

[[noreturn]] void fail_io(const fs::path& path, const char* what, const char* cure) {
  const int error = errno;
  fail("{}: cannot {}: {}{}", path.string(), what, std::strerror(error),
       error == ENOSPC ? "; free some space and run again" : cure);
}

int open_for_reading(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_io(path, "open", "; check the path and its permissions");
  struct stat status;
  if (::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(descriptor);
    fail("{}: is a folder where a file is needed", path.string());
  }
  return descriptor;
}

void write_all(int descriptor, const fs::path& path, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_io(path, "write", "");
    }
    data += written;
    size -= size_t(written);
  }
}

template <class Container>
Container read_whole(const fs::path& path) {
  const int descriptor = open_for_reading(path);
  Container content;
  size_t used = 0;
  for (;;) {
    content.resize(std::max<size_t>(used * 2, 1 << 16));
    const ssize_t got = ::read(descriptor, content.data() + used, content.size() - used);
    if (got < 0) {
      ::close(descriptor);
      fail_io(path, "read", "");
    }
    used += size_t(got);
    if (got == 0) break;
  }
  ::close(descriptor);
  content.resize(used);
  return content;
}

}  // namespace

std::string read_text(const fs::path& path) { return read_whole<std::string>(path); }
std::vector<std::byte> read_bytes(const fs::path& path) {
  return read_whole<std::vector<std::byte>>(path);
}

std::vector<std::string> read_lines(const fs::path& path) {
  const std::string text = read_text(path);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    const bool carriage_return = end > begin && text[end - 1] == '\r';
    lines.emplace_back(text, begin, end - begin - size_t(carriage_return));
    begin = end + 1;
  }
  return lines;
}

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const int descriptor = open_for_reading(path);
  struct stat status;
  if (::fstat(descriptor, &status) != 0) fail_io(path, "stat", "");
  size_ = size_t(status.st_size);
  if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
    ::close(descriptor);
    if (address == MAP_FAILED) fail_io(path, "map", "");
    data_ = static_cast<const std::byte*>(address);
  } else {
    ::close(descriptor);
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

AtomicFile::AtomicFile(fs::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp") {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_io(path_, "create", "; check the folder and its permissions");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_all(descriptor_, path_, reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
void AtomicFile::write(std::string_view text) {
  write_all(descriptor_, path_, text.data(), text.size());
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail_io(path_, "flush", "");
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_io(path_, "close", "");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    errno = error;
    fail_io(path_, "rename into place", "");
  }
}

void write_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail("{}: cannot create this folder: {}", path.string(), error.message());
}

AppendFile::AppendFile(const fs::path& path, uint64_t keep) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    fail_io(path, "open for appending", "; check the folder and its permissions");
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor_);
    fail("{}: in use by another process; wait for its end, or choose another output",
         path.string());
  }
  const off_t end = ::lseek(descriptor_, 0, SEEK_END);
  size_ = end < 0 ? 0 : uint64_t(end);
  if (keep < size_) cut(keep);
}

void AppendFile::cut(uint64_t keep) {
  if (::ftruncate(descriptor_, off_t(keep)) != 0) fail_io(path_, "truncate", "");
  ::lseek(descriptor_, off_t(keep), SEEK_SET);
  size_ = keep;
}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AppendFile::append(std::string_view record) {
  write_all(descriptor_, path_, record.data(), record.size());
  size_ += record.size();
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) fail_io(path_, "flush", "");
}

}  // namespace laclip

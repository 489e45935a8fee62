// Files: whole reads, memory maps, atomic writes. Every failure throws Error with path and reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace laclip {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path);
std::vector<std::byte> read_bytes(const fs::path& path);

// The lines of a file without their ends; "\r\n" and a missing last newline are understood.
std::vector<std::string> read_lines(const fs::path& path);

// A file mapped read-only; bytes stay valid as long as the object.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Writes to `path`.tmp and renames on commit(), after fsync: a reader sees the old file or the new
// one, never a part. Without commit() the destructor removes the temporary file.
class AtomicFile {
 public:
  explicit AtomicFile(fs::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  fs::path path_, temporary_;
  int descriptor_ = -1;
};

void write_atomically(const fs::path& path, std::string_view text);
void make_folders(const fs::path& path);  // with a clear error when it cannot

// An append-only file (logs, JSONL, rewrites). append() hands whole records to the kernel in one
// write, so a kill leaves at most one incomplete record at the end. The file is locked as long as
// the object lives: a second process that wants it gets an Error and touches nothing.
class AppendFile {
 public:
  // keep = bytes of the existing file to keep (what lies behind is cut off); npos keeps all.
  static constexpr uint64_t kAll = ~uint64_t(0);
  explicit AppendFile(const fs::path& path, uint64_t keep = kAll);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  void append(std::string_view record);
  void cut(uint64_t keep);  // to its first bytes
  void sync();              // to the disk
  uint64_t size() const { return size_; }

 private:
  fs::path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

}  // namespace laclip

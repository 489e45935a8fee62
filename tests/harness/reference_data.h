// Reference data that does not belong to the project: a test that needs it calls
// LACLIP_REFERENCE_DATA("stories260k") and is skipped, with the reason, where it is absent.
// The folder is $LACLIP_REFERENCE_DATA, or ../shared/data beside the checkout.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace laclip::test {

// The checkout: $LACLIP_SOURCE_DIR, or the place where the tests were built.
inline std::filesystem::path source_dir() {
  const char* given = std::getenv("LACLIP_SOURCE_DIR");
  return given ? given : LACLIP_SOURCE_DIR;
}

inline std::filesystem::path reference_data(const std::string& name) {
  const char* root = std::getenv("LACLIP_REFERENCE_DATA");
  return (root ? std::filesystem::path(root) : source_dir() / "../shared/data") / name;
}

// A fresh folder for the files of one test, removed when the object goes.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "laclip-").string() + std::string(6, 'X');
    if (!mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace laclip::test

#define LACLIP_REFERENCE_DATA(name)                                 \
  if (!std::filesystem::exists(laclip::test::reference_data(name))) \
  GTEST_SKIP() << "reference data '" << (name) << "' is absent (set LACLIP_REFERENCE_DATA)"

#include "kernels/cuda/shared_library.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/file.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip::test {
namespace {

using cuda::SharedLibrary;
using ::testing::HasSubstr;

// An environment variable as long as one lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) before_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_.empty() ? ::unsetenv(name_) : ::setenv(name_, before_.c_str(), 1); }
  Variable(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

constexpr const char* kName = "liblaclip_test.so.7";  // nobody has it

// A folder with a library of that name: the C library's mathematics.
fs::path folder_with_it(const TemporaryFolder& folder) {
  Dl_info info;
  EXPECT_NE(dladdr(reinterpret_cast<void*>(static_cast<double (*)(double)>(&std::cbrt)), &info), 0);
  // Not a link, which would lead an emulated program out of its root.
  fs::copy_file(info.dli_fname, folder / kName);
  return folder / kName;
}

TEST(SharedLibrary, TheVariablesFileComesFirst) {
  const TemporaryFolder folder;
  const Variable file("LACLIP_TEST_FILE", folder_with_it(folder).string());
  const SharedLibrary library("libm.so.6", "LACLIP_TEST_FILE");
  ASSERT_TRUE(library);
  EXPECT_EQ(library.path(), (folder / kName).string());
  EXPECT_NE(library.function<double(double)>("cbrt"), nullptr);
  EXPECT_EQ(library.function<double(double)>("no such function"), nullptr);
}

TEST(SharedLibrary, AFileThatCannotBeOpenedIsAnError) {
  const Variable file("LACLIP_TEST_FILE", "/nowhere/lib.so");
  EXPECT_THAT(error_of([] { SharedLibrary("libm.so.6", "LACLIP_TEST_FILE"); }),
              HasSubstr("LACLIP_TEST_FILE=/nowhere/lib.so: "));
}

TEST(SharedLibrary, IsFoundInTheFoldersOfThePath) {
  const TemporaryFolder folder;
  const fs::path file = folder_with_it(folder);
  const Variable path("LACLIP_LIBRARY_PATH", "/nowhere::" + file.parent_path().string());
  const SharedLibrary library(kName, "LACLIP_TEST_FILE");
  ASSERT_TRUE(library);
  EXPECT_EQ(library.path(), file.string());
}

TEST(SharedLibrary, IsFoundInTheToolkit) {
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    const TemporaryFolder folder;
    fs::create_directory(folder / "lib64");
    fs::rename(folder_with_it(folder), folder / "lib64" / kName);
    const Variable toolkit(variable, (folder / "lib64").parent_path().string());
    EXPECT_TRUE(SharedLibrary(kName, "LACLIP_TEST_FILE")) << variable;
  }
}

TEST(SharedLibrary, WhatIsNotThereHasACure) {
  const SharedLibrary library(kName, "LACLIP_TEST_FILE");
  EXPECT_FALSE(library);
  EXPECT_EQ(library.path(), "");
  EXPECT_EQ(library.function<void()>("cbrt"), nullptr);
  EXPECT_THAT(library.cure(), HasSubstr("liblaclip_test.so.7 is not found; set LACLIP_TEST_FILE"));
}

TEST(SharedLibrary, ThePathStandsBeforeTheLoaderAndTheToolkitBehind) {
  const Variable path("LACLIP_LIBRARY_PATH", "/a:/b"), home("CUDA_HOME", "/c");
  const auto places = SharedLibrary::places("lib.so");
  ASSERT_GE(places.size(), 5u);
  EXPECT_EQ(places[0], "/a/lib.so");
  EXPECT_EQ(places[1], "/b/lib.so");
  EXPECT_EQ(places[2], "lib.so");
  EXPECT_EQ(places[3], "/c/lib64/lib.so");
  EXPECT_EQ(places.back(), "/usr/local/cuda/lib64/lib.so");
}

}  // namespace
}  // namespace laclip::test

// The safetensors format: what is written is read, and no file brings the reader down.
#include "engine/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/philox.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

class Safetensors : public testing::Test {
 protected:
  // The error of reading a file of this header and data; "" if it is sound.
  std::string error(const std::string& header, const std::string& data = "") {
    std::string bytes(8, '\0');
    const uint64_t length = header.size();
    std::memcpy(bytes.data(), &length, 8);
    write_atomically(folder_ / "t.safetensors", bytes + header + data);
    return error_of_file(folder_ / "t.safetensors");
  }
  static std::string error_of_file(const fs::path& path) {
    return test::error_of([&] {
      const SafetensorsFile file(path);
      const auto size = fs::file_size(path);
      for (const auto& [name, entry] : file.entries()) {
        EXPECT_LE(entry.end, size);
        file.tensor(name);
      }
    });
  }
  test::TemporaryFolder folder_;
};

TEST_F(Safetensors, WritesWhatItReads) {
  std::vector<float> a{1, -2, 3.5f, NAN, INFINITY, -0.0f};
  std::vector<int32_t> b{7, 8};
  bf16 c[1] = {bf16(1.5f)};
  const fs::path path = folder_ / "a.safetensors";
  write_safetensors(path,
                    {{"c", tensor_of(c, {1})},
                     {"a", tensor_of(a.data(), {2, 3})},
                     {"b", tensor_of(b.data(), {2})}},
                    {{"format", "pt"}, {"note", "äöü \"x\""}});
  const SafetensorsFile file(path);
  EXPECT_EQ(file.entries().size(), 3u);
  EXPECT_EQ(file.metadata().at("note"), "äöü \"x\"");
  EXPECT_EQ(file.tensor("a").shape, (Shape{2, 3}));
  EXPECT_EQ(std::memcmp(file.tensor("a").data, a.data(), 24), 0);
  EXPECT_EQ(file.tensor("b").as<int32_t>()[1], 8);
  EXPECT_EQ(float(file.tensor("c").as<bf16>()[0]), 1.5f);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.tensor("a").data) % 4, 0u);
  EXPECT_FALSE(all_finite(file.tensor("a")));
  EXPECT_THROW(file.tensor("d"), Error);
}

TEST_F(Safetensors, AHeaderOfAnyLengthReads) {
  const float a[] = {1.5f, -2, INFINITY};
  const double b[] = {0.25, 3};
  const bf16 c[] = {bf16(7.0f)};
  const auto bytes = [](const auto& x) {
    return std::string(reinterpret_cast<const char*>(x), sizeof x);
  };
  for (int spaces = 0; spaces < 8; ++spaces) {
    const std::string header = R"({"b":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
                               R"("a":{"dtype":"F32","shape":[3],"data_offsets":[16,28]},)"
                               R"("c":{"dtype":"BF16","shape":[1],"data_offsets":[28,30]}})" +
                               std::string(size_t(spaces), ' ');
    ASSERT_EQ(error(header, bytes(b) + bytes(a) + bytes(c)), "");
    const SafetensorsFile file(folder_ / "t.safetensors");
    const auto floats = [&](const char* name) {
      std::vector<float> x(size_t(file.tensor(name).elements()));
      copy_to_f32(tensor_of(x.data(), {int64_t(x.size())}), file.tensor(name));
      return x;
    };
    EXPECT_EQ(floats("a"), (std::vector<float>{1.5f, -2, INFINITY}));
    EXPECT_EQ(floats("b"), (std::vector<float>{0.25f, 3}));
    EXPECT_EQ(floats("c"), (std::vector<float>{7}));
    EXPECT_FALSE(all_finite(file.tensor("a")));
    EXPECT_TRUE(all_finite(file.tensor("b")));
    const auto address = reinterpret_cast<uintptr_t>(file.tensor("a").data);
    if (address % alignof(float) != 0) {
      EXPECT_THROW(file.tensor("a").as<float>(), Error);
    }
  }
}

TEST_F(Safetensors, EveryCutIsAnError) {
  std::vector<float> a(10, 1);
  write_safetensors(folder_ / "a.safetensors", {{"a", tensor_of(a.data(), {10})}});
  const std::string whole = read_text(folder_ / "a.safetensors");
  for (size_t length = 0; length < whole.size(); ++length) {
    write_atomically(folder_ / "cut.safetensors", whole.substr(0, length));
    EXPECT_NE(error_of_file(folder_ / "cut.safetensors"), "") << length;
  }
}

TEST_F(Safetensors, DefectsOfTheHeaderAreNamed) {
  const std::string four(4, '\0'), eight(8, '\0');
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four), "");
  const auto named = [&](const std::string& header, const std::string& data,
                         const std::string& part) {
    EXPECT_NE(error(header, data).find(part), std::string::npos) << error(header, data);
  };
  named("[1]", "", "does not start with");
  named("{", "", "not valid JSON");
  named(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", eight,
        "8 bytes where shape and type need 4");
  named(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight, "leave a hole");
  named(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", eight, "belong to no tensor");
  named(R"({"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}})", four, "cut off");
  named(R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", four, "unknown dtype");
  named(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four, "tensor 'a'");
  named(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})", four,
        "impossibly large");
  named(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", four, "'shape'");
  named(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", four, "two numbers");
  named(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
      four, "listed twice");
  named(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1],"data_offsets":[0,4]}})", four,
        "6 dimensions");
}

TEST_F(Safetensors, NothingInTheCorpusCrashesIt) {
  LACLIP_REFERENCE_DATA("fuzz-corpora");
  int count = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(test::reference_data("fuzz-corpora/gofuzz_json"))) {
    if (!entry.is_regular_file()) continue;
    error(read_text(entry.path()), std::string(64, '\0'));   // as a header
    if (entry.file_size() > 0) error_of_file(entry.path());  // and as a whole file
    ++count;
  }
  EXPECT_GT(count, 300);
}

TEST_F(Safetensors, RandomChangesOfAValidFile) {
  std::vector<float> a(6, 1);
  write_safetensors(folder_ / "a.safetensors",
                    {{"a", tensor_of(a.data(), {2, 3})}, {"b", tensor_of(a.data(), {3})}});
  const std::string whole = read_text(folder_ / "a.safetensors");
  Random random(5, RandomUse::test);
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string bytes = whole;
    for (uint32_t i = 0, n = 1 + random.below(3); i < n; ++i)
      bytes[random.below(uint32_t(bytes.size()))] = char(random.below(256));
    write_atomically(folder_ / "b.safetensors", bytes);
    refused += !error_of_file(folder_ / "b.safetensors").empty();
  }
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace laclip

// Class folders, class names, templates and pairs.
#include "data/evaluation_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "data/image_write.h"
#include "tests/harness/error_of.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using test::error_of;
using ::testing::HasSubstr;

class EvaluationSetsTest : public testing::Test {
 protected:
  ImageFolder folder_of(const std::vector<std::string>& classes) {
    for (const std::string& name : classes) {
      make_folders(folder_ / "images" / name);
      write_png(folder_ / "images" / name / "1.png", Image{2, 2, std::vector<uint8_t>(12, 9)});
    }
    return read_image_folder(folder_ / "images");
  }
  std::vector<int32_t> match(const ImageFolder& folder, const std::string& json) {
    const fs::path file = write("names.json", json);
    return match_classes(folder, read_class_names(file), file);
  }
  fs::path write(const std::string& name, const std::string& text) {
    write_atomically(folder_ / name, text);
    return folder_ / name;
  }
  test::TemporaryFolder folder_;
};

using Classes = std::vector<int32_t>;

TEST_F(EvaluationSetsTest, FoldersMatchByNameByOrderAndAsASubset) {
  const ImageFolder folder = folder_of({"cat", "dog"});
  EXPECT_EQ(folder.classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(folder.labels, (Classes{0, 1}));
  EXPECT_EQ(match(folder, R"(["dog", "horse", "cat"])"), (Classes{2, 0}));  // by name, a subset
  EXPECT_EQ(match(folder, R"(["a tabby", "a hound"])"), (Classes{0, 1}));   // by order
  EXPECT_EQ(match(folder, R"([["hound", "dog"], ["tom", "cat"]])"), (Classes{1, 0}));  // a synonym
  EXPECT_EQ(match(folder, R"({"cat": "tabby", "eel": "eel", "dog": "hound"})"), (Classes{0, 2}));
  EXPECT_THROW(match(folder, R"(["a", "b", "c"])"), Error);  // neither names nor their number fit
  EXPECT_THROW(match(folder, R"({"eel": "eel"})"), Error);
}

// By order they would all be other classes.
TEST_F(EvaluationSetsTest, AFolderWithoutANameIsNoReasonToGoByOrder) {
  const ImageFolder folder = folder_of({"cat", "dog", "hound"});
  for (const char* names : {R"(["dog", "cat", "wolf"])", R"({"dog": "dog", "cat": "cat"})"}) {
    EXPECT_THAT(error_of([&] { match(folder, names); }),
                HasSubstr("names.json: 1 of the 3 folders have no name in it: hound"));
  }
}

TEST_F(EvaluationSetsTest, BadInputIsAnError) {
  EXPECT_THROW(read_image_folder(folder_ / "nothing"), Error);
  make_folders(folder_ / "empty/cat");
  EXPECT_THROW(read_image_folder(folder_ / "empty"), Error);
  EXPECT_THROW(read_class_names(write("n.json", "[]")), Error);
  EXPECT_THROW(read_class_names(write("n.json", "[1]")), Error);
  EXPECT_THROW(read_templates(write("t.json", R"(["a photo"])")), Error);
  EXPECT_THROW(read_templates(write("t.json", R"({})")), Error);
  EXPECT_THROW(read_retrieval_pairs(write("p.jsonl", "")), Error);
  EXPECT_THROW(read_retrieval_pairs(write("p.jsonl", R"({"captions": ["x"]})")), Error);
}

TEST_F(EvaluationSetsTest, Templates) {
  EXPECT_EQ(read_templates(write("t.json", R"(["a {}.", "the {c}"])")).size(), 2u);
  EXPECT_EQ(fill_template("a {} or {}", "{}x"), "a {}x or {}x");
  EXPECT_EQ(fill_template("the {c}.", "dog"), "the dog.");
}

TEST_F(EvaluationSetsTest, PairsWithOneAndManyCaptions) {
  const RetrievalPairs pairs =
      read_retrieval_pairs(write("p.jsonl",
                                 "{\"image\": \"a.jpg\", \"captions\": [\"1\", \"2\"]}\n\n"
                                 "{\"image\": \"b.jpg\", \"caption\": \"3\"}\n"));
  EXPECT_EQ(pairs.images, (std::vector<fs::path>{folder_ / "a.jpg", folder_ / "b.jpg"}));
  EXPECT_EQ(pairs.texts, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(pairs.image_of_text, (Classes{0, 0, 1}));
}

TEST_F(EvaluationSetsTest, ImagesAreLoadedByAnyNumberOfThreads) {
  const ImageFolder folder = folder_of({"a", "b", "c", "d", "e"});
  const auto load = [&](size_t begin, size_t count, int threads, FaultReport& faults) {
    return load_images(folder.images, begin, count, 8, Interpolation::bicubic, threads, faults);
  };
  FaultReport none;
  const LoadedImages one = load(1, 3, 1, none), four = load(1, 3, 4, none);
  EXPECT_EQ(one.pixels.size(), 3u * 8 * 8 * 3);
  EXPECT_EQ(one.pixels, four.pixels);
  EXPECT_EQ(one.which, (std::vector<size_t>{1, 2, 3}));
  EXPECT_TRUE(none.empty());

  write_atomically(folder.images[2], "broken");
  fs::remove(folder.images[3]);
  FaultReport faults, strict(true);
  const LoadedImages rest = load(0, 5, 2, faults);
  EXPECT_EQ(rest.which, (std::vector<size_t>{0, 1, 4}));
  EXPECT_EQ(rest.pixels.size(), 3u * 8 * 8 * 3);
  EXPECT_EQ(faults.counts(), (Json{{"unreadable file", 1}, {"unsupported format", 1}}));
  EXPECT_NE(faults.text().find("c/1.png"), std::string::npos) << faults.text();
  EXPECT_THROW(load(0, 5, 2, strict), Error);
}

}  // namespace
}  // namespace laclip

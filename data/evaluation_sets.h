// What evaluation reads: class folders, class names, prompt templates, image-text pairs.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "data/fault_report.h"
#include "data/image_augment.h"

namespace laclip {

// Images in class folders: folder/<class>/…/image.jpg. `classes` are the sorted folder names.
struct ImageFolder {
  std::vector<std::string> classes;
  std::vector<fs::path> images;
  std::vector<int32_t> labels;
};
ImageFolder read_image_folder(const fs::path& folder);  // Error if it holds no class with images

// Class names in JSON: a list of names (or of lists of synonyms), in the order of the sorted
// folders; or an object {"folder": "name" or ["name", …]}, of which a data set may hold a part of
// the folders.
struct ClassNames {
  std::vector<std::string> folders;             // empty: the names are in the order of the folders
  std::vector<std::vector<std::string>> names;  // synonyms of each class
};
ClassNames read_class_names(const fs::path& file);

// The class of each folder, by name; by order if no folder is the name of a class and there are as
// many of both. Error otherwise, and for folders without a name among others that have one.
std::vector<int32_t> match_classes(const ImageFolder& folder, const ClassNames& names,
                                   const fs::path& names_file);

// Templates in JSON, a list of texts with {} or {c} for the name.
std::vector<std::string> read_templates(const fs::path& file);
std::string fill_template(const std::string& text, const std::string& name);

// Pairs: lines {"image": path relative to the file, "captions": […]} (JSONL); "caption" for one.
struct RetrievalPairs {
  std::vector<fs::path> images;
  std::vector<std::string> texts;
  std::vector<int32_t> image_of_text;
};
RetrievalPairs read_retrieval_pairs(const fs::path& file);

struct LoadedImages {
  std::vector<size_t> which;    // their places in the list
  std::vector<uint8_t> pixels;  // [which R R 3]
};

// Decodes images [begin, begin + count) on some threads; broken ones are left out and reported.
LoadedImages load_images(const std::vector<fs::path>& paths, size_t begin, size_t count, int size,
                         Interpolation interpolation, int threads, FaultReport& faults);

}  // namespace laclip

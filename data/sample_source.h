// Image-text samples with random access: sample i has a key, an image, a caption and, for each
// source of rewrites, one more caption (or none).
//
//   webdataset   tar shards; a sample is a run of members with one key (the name up to the first
//                dot of its last part); those without an image or a caption are left out
//   laclip-csv   no header, "relative/path.jpg,caption"; rows of other files are left out, as there
//   csv          open_clip's tables: a header row, columns by name
//
// What is left out is counted by reason and told in one warning; strict makes it an Error.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "data/fault_report.h"
#include "data/text_table.h"

namespace laclip {

struct SourceOptions {
  std::string type = "auto";  // auto, webdataset, csv, laclip-csv
  std::string root{};         // of image paths in tables; "" = as they stand
  std::string csv_separator = "\t", csv_image_key = "filepath", csv_caption_key = "title";
  std::string image_key = "jpg;png;jpeg;webp", text_key = "txt";
  bool strict = false;
};

// A table has no column of the name that was asked for.
struct MissingColumn : Error {
  using Error::Error;
};

// The bytes of an image: a view into a mapped shard, or a file that was read.
struct ImageBytes {
  std::vector<std::byte> own;
  std::span<const std::byte> view;
};

class SampleSource {
 public:
  explicit SampleSource(const SourceOptions& options)
      : root_(options.root), left_out_(options.strict) {}  // empty; see open_samples
  size_t size() const { return keys_.size(); }
  std::string_view key(size_t i) const { return keys_[i]; }
  std::string_view caption(size_t i) const { return captions_[i]; }
  // Of source s; empty if there is none.
  std::string_view rewrite(size_t s, size_t i) const;
  size_t rewrite_sources() const { return rewrites_.size(); }
  ImageBytes image(size_t i) const;   // Error if a file cannot be read
  std::string place(size_t i) const;  // for messages: "00000.tar/000000012" or a path

  // Line i of a text file belongs to sample i; if the captions repeat after that many samples
  // (LaCLIP's tables of several crops), to sample i modulo the lines. Error if neither fits.
  void attach_rewrites_by_line(const fs::path& file);
  // Each line {"key": …, "text": …} (JSONL); the coverage is logged. A key that several samples
  // bear needs as many rewrites, which belong to them in order; Error otherwise.
  void attach_rewrites_by_key(const fs::path& file);

  // For the manifest: number of samples, what was left out and why, a fingerprint.
  Json summary() const;

 private:
  friend std::unique_ptr<SampleSource> open_samples(const std::string&, const SourceOptions&);
  void read_shards(const std::string& list, const SourceOptions& options);
  void read_laclip_csv(const fs::path& file);
  void read_table(const fs::path& file, const SourceOptions& options);
  bool captions_repeat_after(size_t period) const;

  struct Location {
    uint32_t file = 0;
    uint64_t offset = 0, size = 0;
  };
  TextTable keys_, captions_;
  std::vector<std::vector<int64_t>> rewrite_lines_;  // of each source: line of sample i, or -1
  std::vector<TextTable> rewrites_;
  std::vector<MappedFile> shards_;
  std::vector<Location> locations_;  // of shards; empty for tables, whose keys are paths
  fs::path root_;
  FaultReport left_out_;
};

// Error if nothing is found; the type "auto" goes by the file name.
std::unique_ptr<SampleSource> open_samples(const std::string& data, const SourceOptions& options);

}  // namespace laclip

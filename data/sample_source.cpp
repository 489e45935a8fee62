#include "data/sample_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "base/check.h"
#include "base/log.h"
#include "data/csv.h"
#include "data/shard_list.h"
#include "data/tar_index.h"

namespace laclip {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string lower(std::string text) {
  for (char& c : text) c = char(std::tolower(uint8_t(c)));
  return text;
}

bool has_image_ending(const std::string& path) {
  const std::string name = lower(path);
  return name.ends_with(".jpg") || name.ends_with(".jpeg") || name.ends_with(".png");
}

// "a/b.c.jpg" -> key "a/b", ending "c.jpg"
std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t slash = name.rfind('/'), start = slash == std::string::npos ? 0 : slash + 1;
  const size_t dot = name.find('.', start);
  if (dot == std::string::npos || dot == start) return {name, ""};
  return {name.substr(0, dot), lower(name.substr(dot + 1))};
}

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string_view::npos ? "" : std::string(text.substr(begin, end - begin + 1));
}

void count(Json& counts, const std::string& reason, int64_t by = 1) {
  counts[reason] = counts.value(reason, int64_t(0)) + by;
}

}  // namespace

void SampleSource::read_shards(const std::string& list, const SourceOptions& options) {
  const auto image_keys = split(options.image_key, ';'), text_keys = split(options.text_key, ';');
  auto find = [](const auto& members, const std::vector<std::string>& endings) -> const TarMember* {
    for (const std::string& wanted : endings)
      for (const auto& [ending, member] : members)
        if (ending == wanted) return member;
    return nullptr;
  };
  for (const fs::path& path : find_shards(list)) {
    shards_.emplace_back(path);
    const auto file = uint32_t(shards_.size() - 1);
    const auto bytes = shards_.back().bytes();
    const TarIndex index = index_tar(bytes);
    if (!index.fault.empty()) {
      log_warning("{}: {}; {} files before it are used", path.string(), index.fault,
                  index.members.size());
      count(left_out_, "damaged shards");
    }
    std::vector<std::pair<std::string, const TarMember*>>
        members;  // of the current sample, by ending
    std::string key;
    auto finish = [&] {
      if (members.empty()) return;
      const TarMember *image = find(members, image_keys), *text = find(members, text_keys);
      const auto caption =
          !text ? ""
                : trimmed({reinterpret_cast<const char*>(bytes.data()) + text->offset,
                           size_t(text->size)});
      if (!image)
        count(left_out_, "without an image");
      else if (caption.empty())
        count(left_out_, "without a caption");
      else {
        keys_.add(key);
        captions_.add(caption);
        locations_.push_back({file, image->offset, image->size});
      }
      members.clear();
    };
    for (const TarMember& member : index.members) {
      const auto [name, ending] = split_name(member.name);
      const std::string last = member.name.substr(member.name.rfind('/') + 1);
      if (ending.empty() || last.starts_with("__")) continue;
      const bool repeated = std::any_of(members.begin(), members.end(),
                                        [&e = ending](const auto& m) { return m.first == e; });
      if (name != key || repeated) finish();
      key = name;
      members.emplace_back(ending, &member);
    }
    finish();
  }
}

void SampleSource::read_laclip_csv(const fs::path& file, const SourceOptions& options) {
  root_ = options.root;
  for (const CsvRow& row : read_csv(file, ',')) {
    check(row.fields.size() == 2,
          "{}:{}: {} columns where 2 are needed: image path,caption (quote a "
          "caption that holds a comma)",
          file.string(), row.line, row.fields.size());
    if (!has_image_ending(row.fields[0])) {
      count(left_out_, "rows that are no image");
      continue;
    }
    keys_.add(row.fields[0]);
    captions_.add(row.fields[1]);
  }
}

void SampleSource::read_table(const fs::path& file, const SourceOptions& options) {
  root_ = options.root;
  const std::string separator = options.csv_separator == "\\t" ? "\t" : options.csv_separator;
  check(separator.size() == 1, "--csv-separator '{}': one character is needed",
        options.csv_separator);
  const auto rows = read_csv(file, separator[0]);
  check(!rows.empty(), "{}: an empty table", file.string());
  auto column = [&](const std::string& name, const char* flag) {
    const auto& header = rows[0].fields;
    const auto found = std::find(header.begin(), header.end(), name);
    check(found != header.end(), "{}: there is no column '{}' ({}); the columns are {}",
          file.string(), name, flag, fmt::join(header, ", "));
    return size_t(found - header.begin());
  };
  const size_t image = column(options.csv_image_key, "--csv-img-key");
  const size_t caption = column(options.csv_caption_key, "--csv-caption-key");
  for (size_t i = 1; i < rows.size(); ++i) {
    const auto& fields = rows[i].fields;
    check(fields.size() == rows[0].fields.size(), "{}:{}: {} columns where the header has {}",
          file.string(), rows[i].line, fields.size(), rows[0].fields.size());
    keys_.add(fields[image]);
    captions_.add(fields[caption]);
  }
}

std::unique_ptr<SampleSource> open_samples(const std::string& data, const SourceOptions& options) {
  auto source = std::make_unique<SampleSource>();
  std::string type = options.type;
  if (type == "auto") {
    const std::string name = lower(data);
    type = name.ends_with(".tar") || name.find(".tar::") != std::string::npos ? "webdataset"
           : name.ends_with(".csv") && options.csv_separator != ","           ? "laclip-csv"
                                                                              : "csv";
  }
  if (type == "webdataset")
    source->read_shards(data, options);
  else if (type == "laclip-csv")
    source->read_laclip_csv(data, options);
  else
    source->read_table(data, options);
  check(source->size() > 0, "{}: no samples in it (left out: {})", data, source->left_out_.dump());
  return source;
}

std::string_view SampleSource::rewrite(size_t s, size_t i) const {
  const int64_t line = rewrite_lines_[s][i];
  return line < 0 ? std::string_view() : rewrites_[s][size_t(line)];
}

ImageBytes SampleSource::image(size_t i) const {
  ImageBytes bytes;
  if (!locations_.empty()) {
    const Location& at = locations_[i];
    bytes.view = shards_[at.file].bytes().subspan(at.offset, at.size);
  } else {
    bytes.own = read_bytes(root_ / fs::path(key(i)));
    bytes.view = bytes.own;
  }
  return bytes;
}

std::string SampleSource::place(size_t i) const {
  if (locations_.empty()) return (root_ / fs::path(key(i))).string();
  return shards_[locations_[i].file].path().string() + "/" + std::string(key(i));
}

void SampleSource::attach_rewrites_by_line(const fs::path& file) {
  const auto lines = read_lines(file);
  check(!lines.empty() && size() % lines.size() == 0,
        "{}: {} lines for {} samples; a rewrite file needs "
        "one line a sample, in the same order (or a JSONL file with keys)",
        file.string(), lines.size(), size());
  TextTable table;
  std::vector<int64_t> line_of;
  for (const std::string& line : lines) table.add(trimmed(line));
  for (size_t i = 0; i < size(); ++i) line_of.push_back(int64_t(i % lines.size()));
  rewrites_.push_back(std::move(table));
  rewrite_lines_.push_back(std::move(line_of));
}

void SampleSource::attach_rewrites_by_key(const fs::path& file) {
  std::unordered_map<std::string_view, std::vector<size_t>> samples;
  for (size_t i = 0; i < size(); ++i) samples[key(i)].push_back(i);
  TextTable table;
  std::vector<int64_t> line_of(size(), -1);
  int64_t unknown = 0, number = 0;
  for (const std::string& line : read_lines(file)) {
    const std::string place = fmt::format("{}:{}", file.string(), ++number);
    const Json row = parse_json(line, place);
    const auto found = samples.find(json_field<std::string>(row, "key", place));
    if (found == samples.end()) {
      ++unknown;
      continue;
    }
    table.add(trimmed(json_field<std::string>(row, "text", place)));
    for (size_t i : found->second) line_of[i] = int64_t(table.size()) - 1;
  }
  const auto covered = size() - size_t(std::count(line_of.begin(), line_of.end(), -1));
  check(covered > 0, "{}: none of its {} keys is the key of a sample (such as '{}')", file.string(),
        number, key(0));
  log_info("{}: rewrites for {} of {} samples{}", file.string(), covered, size(),
           unknown ? fmt::format("; {} keys belong to no sample", unknown) : "");
  rewrites_.push_back(std::move(table));
  rewrite_lines_.push_back(std::move(line_of));
}

Json SampleSource::summary() const {
  uint64_t digest = captions_.digest(keys_.digest());
  for (const TextTable& table : rewrites_) digest = table.digest(digest);
  return {{"samples", size()},
          {"rewrite_sources", rewrites_.size()},
          {"left_out", left_out_},
          {"digest", fmt::format("{:016x}", digest)}};
}

}  // namespace laclip

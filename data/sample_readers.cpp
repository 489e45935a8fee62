// How the forms of data become samples: shards, LaCLIP's CSV, open_clip's tables.
#include <fmt/ranges.h>

#include <algorithm>

#include "base/check.h"
#include "data/csv.h"
#include "data/sample_source.h"
#include "data/shard_list.h"
#include "data/tar_index.h"
#include "data/text.h"

namespace laclip {
namespace {

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

}  // namespace

void SampleSource::read_shards(const std::string& list, const SourceOptions& options) {
  const auto image_keys = split(options.image_key, ';'), text_keys = split(options.text_key, ';');
  auto find = [](const auto& members, const std::vector<std::string>& endings) -> const TarMember* {
    for (const std::string& wanted : endings)
      for (const auto& [ending, member] : members)
        if (ending == wanted) return member;
    return nullptr;
  };
  for (const fs::path& path : expand_shards(list)) {
    if (!fs::exists(path)) {
      left_out_.add("missing shards", path.string() + ": this shard is missing");
      continue;
    }
    shards_.emplace_back(path);
    const auto file = uint32_t(shards_.size() - 1);
    const auto bytes = shards_.back().bytes();
    const TarIndex index = index_tar(bytes);
    if (!index.fault.empty())
      left_out_.add("damaged shards", fmt::format("{}: {}, behind {} files", path.string(),
                                                  index.fault, index.members.size()));
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
      if (!image || caption.empty()) {
        const char* reason = image ? "without a caption" : "without an image";
        left_out_.add(reason, fmt::format("{}/{}: a sample {}", path.string(), key, reason));
      } else {
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
  check(!shards_.empty(), "{}: no such file; check the path and its braces", list);
}

void SampleSource::read_laclip_csv(const fs::path& file) {
  for (const CsvRow& row : read_csv(file, ',')) {
    check(row.fields.size() == 2,
          "{}:{}: {} columns where 2 are needed: image path,caption (quote a "
          "caption that holds a comma)",
          file.string(), row.line, row.fields.size());
    if (!has_image_ending(row.fields[0])) {
      left_out_.add("rows that are no image",
                    fmt::format("{}:{}: '{}' is no path of a .jpg, .jpeg or .png", file.string(),
                                row.line, row.fields[0]));
      continue;
    }
    keys_.add(row.fields[0]);
    captions_.add(row.fields[1]);
  }
}

void SampleSource::read_table(const fs::path& file, const SourceOptions& options) {
  const std::string separator = options.csv_separator == "\\t" ? "\t" : options.csv_separator;
  check(separator.size() == 1, "--csv-separator '{}': one character is needed",
        options.csv_separator);
  const auto rows = read_csv(file, separator[0]);
  check(!rows.empty(), "{}: an empty table", file.string());
  auto column = [&](const std::string& name, const char* flag) {
    const auto& header = rows[0].fields;
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end())
      throw MissingColumn(fmt::format("{}: there is no column '{}' ({}); the columns are {}",
                                      file.string(), name, flag, fmt::join(header, ", ")));
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

}  // namespace laclip

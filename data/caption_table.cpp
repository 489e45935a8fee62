#include "data/caption_table.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "data/csv.h"
#include "data/sample_source.h"

namespace laclip {
namespace {

CaptionTable read_tsv(const std::string& path, const std::string& column) {
  CaptionTable table;
  size_t index = 0;
  bool header = false, resolved = false;
  int64_t number = 0;
  for (const std::string& line : read_lines(path)) {
    ++number;
    std::vector<std::string> fields;
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find('\t', begin), line.size());
      fields.push_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    if (!resolved) {
      const auto parsed = std::from_chars(column.data(), column.data() + column.size(), index);
      if (parsed.ec == std::errc() && parsed.ptr == column.data() + column.size() && index > 0) {
        --index;
      } else {
        const auto found = std::find(fields.begin(), fields.end(), column);
        check(found != fields.end(), "{}: there is no column '{}' in its header (--caption-column)",
              path, column);
        index = size_t(found - fields.begin());
        header = true;
      }
      resolved = true;
      if (header) continue;
    }
    check(index < fields.size(),
          "{}:{}: {} columns, but the caption is in column {} (--caption-column)", path, number,
          fields.size(), index + 1);
    table.captions.add(fields[index]);
    table.keys.add("");
  }
  return table;
}

}  // namespace

CaptionTable read_captions(const std::string& path, const CaptionTableOptions& options) {
  CaptionTable table;
  if (path.find(".tar") != std::string::npos) {
    SourceOptions source_options;
    source_options.type = "webdataset";
    source_options.text_key = options.text_key;
    const auto source = open_samples(path, source_options);
    for (size_t i = 0; i < source->size(); ++i) {
      table.captions.add(source->caption(i));
      table.keys.add(source->key(i));
    }
  } else if (path.ends_with(".csv")) {
    for (const CsvRow& row : read_csv(path, ',')) {
      check(row.fields.size() == 2, "{}:{}: {} columns where 2 are needed: image path,caption",
            path, row.line, row.fields.size());
      table.keys.add(row.fields[0]);
      table.captions.add(row.fields[1]);
    }
  } else if (path.ends_with(".tsv")) {
    table = read_tsv(path, options.column);
  } else {
    for (const std::string& line : read_lines(path)) {
      table.captions.add(line);
      table.keys.add("");
    }
  }
  check(table.captions.size() > 0, "{}: no captions in it", path);
  return table;
}

ShardRange shard_range(size_t count, const std::string& shard) {
  size_t part = 0, parts = 0;
  const size_t slash = shard.find('/');
  const char* end = shard.data() + shard.size();
  const bool ok =
      slash != std::string::npos &&
      std::from_chars(shard.data(), shard.data() + slash, part).ptr == shard.data() + slash &&
      std::from_chars(shard.data() + slash + 1, end, parts).ptr == end;
  if (!ok || part < 1 || part > parts)
    fail_usage("--shard {}: write 1/8 for the first of eight parts", shard);
  return {count * (part - 1) / parts, count * part / parts};
}

}  // namespace laclip

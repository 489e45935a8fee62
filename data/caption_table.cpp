#include "data/caption_table.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "data/shard_list.h"
#include "data/text.h"

namespace laclip {
namespace {

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

// A number from 1 gives a place in rows without a header, another text a name in the header.
CaptionTable read_column(const std::string& path, const std::string& column) {
  CaptionTable table;
  const auto lines = read_lines(path);
  check(!lines.empty(), "{}: no captions in it", path);
  size_t index = 0, first = 0;
  const auto parsed = std::from_chars(column.data(), column.data() + column.size(), index);
  if (parsed.ec == std::errc() && parsed.ptr == column.data() + column.size() && index > 0) {
    --index;
  } else {
    const auto header = fields_of(lines[0]);
    const auto found = std::find(header.begin(), header.end(), column);
    check(found != header.end(), "{}: there is no column '{}' in its header (--caption-column)",
          path, column);
    index = size_t(found - header.begin());
    first = 1;
  }
  for (size_t i = first; i < lines.size(); ++i) {
    const auto fields = fields_of(lines[i]);
    check(index < fields.size(),
          "{}:{}: {} columns, but the caption is in column {} (--caption-column)", path, i + 1,
          fields.size(), index + 1);
    table.captions.add(fields[index]);
    table.keys.add("");
  }
  return table;
}

CaptionTable read_lines_as_captions(const std::string& path) {
  CaptionTable table;
  for (const std::string& line : read_lines(path)) {
    table.captions.add(line);
    table.keys.add("");
  }
  return table;
}

CaptionTable captions_of_samples(const std::string& data, const SourceOptions& options) {
  CaptionTable table;
  const auto source = open_samples(data, options);
  for (size_t i = 0; i < source->size(); ++i) {
    table.captions.add(source->caption(i));
    table.keys.add(source->key(i));
  }
  return table;
}

}  // namespace

CaptionTable read_captions(const std::string& path, const CaptionTableOptions& options) {
  const std::string name = lower(path);
  const bool shards = lists_shards(path), csv = name.ends_with(".csv");
  if (!options.column.empty() && (shards || csv))
    fail_usage("--caption-column {}: {} is no table of columns between tabs", options.column, path);
  CaptionTable table;
  if (!options.column.empty()) {
    table = read_column(path, options.column);
  } else if (shards || csv || name.ends_with(".tsv")) {
    try {
      table = captions_of_samples(path, options.source);
    } catch (const MissingColumn& error) {
      fail("{}{}", error.what(),
           csv ? "" : "; for a table without images give --caption-column, a number or a name");
    }
  } else {
    table = read_lines_as_captions(path);
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

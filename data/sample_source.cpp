#include "data/sample_source.h"

#include <algorithm>
#include <unordered_map>

#include "base/log.h"
#include "data/shard_list.h"
#include "data/text.h"

namespace laclip {

std::unique_ptr<SampleSource> open_samples(const std::string& data, const SourceOptions& options) {
  auto source = std::make_unique<SampleSource>(options);
  std::string type = options.type;
  if (type == "auto")
    type = lists_shards(data)                                              ? "webdataset"
           : lower(data).ends_with(".csv") && options.csv_separator != "," ? "laclip-csv"
                                                                           : "csv";
  if (type == "webdataset")
    source->read_shards(data, options);
  else if (type == "laclip-csv")
    source->read_laclip_csv(data);
  else
    source->read_table(data, options);
  const FaultReport& left_out = source->left_out_;
  check(source->size() > 0, "{}: no samples in it{}", data,
        left_out.empty() ? "" : "; left out: " + left_out.text());
  if (!left_out.empty()) log_warning("{}: left out: {}", data, left_out.text());
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

bool SampleSource::captions_repeat_after(size_t period) const {
  if (period == 0 || size() % period != 0) return false;
  for (size_t i = period; i < size(); ++i)
    if (caption(i) != caption(i - period)) return false;
  return true;
}

void SampleSource::attach_rewrites_by_line(const fs::path& file) {
  const auto lines = read_lines(file);
  check(captions_repeat_after(lines.size()),
        "{}: {} lines for {} samples; a rewrite file needs one line a sample, in the same order "
        "(the files of all --shard parts joined by cat), or keys (JSONL)",
        file.string(), lines.size(), size());
  TextTable table;
  std::vector<int64_t> line_of;
  for (const std::string& line : lines) table.add(trimmed(line));
  for (size_t i = 0; i < size(); ++i) line_of.push_back(int64_t(i % lines.size()));
  rewrites_.push_back(std::move(table));
  rewrite_lines_.push_back(std::move(line_of));
}

void SampleSource::attach_rewrites_by_key(const fs::path& file) {
  struct Key {
    std::vector<size_t> samples;  // that bear it
    size_t rewritten = 0;
  };
  std::unordered_map<std::string_view, Key> keys;
  for (size_t i = 0; i < size(); ++i) keys[key(i)].samples.push_back(i);
  TextTable table;
  std::vector<int64_t> line_of(size(), -1);
  int64_t unknown = 0, number = 0;
  for (const std::string& line : read_lines(file)) {
    const std::string place = fmt::format("{}:{}", file.string(), ++number);
    const Json row = parse_json(line, place);
    const auto name = json_field<std::string>(row, "key", place);
    const auto found = keys.find(name);
    if (found == keys.end()) {
      ++unknown;
      continue;
    }
    auto& [samples, rewritten] = found->second;
    check(rewritten < samples.size(),
          "{}: the key '{}' is there more often than among the samples ({}), so the rewrites "
          "cannot be told apart; rewrite the same data again, or join by line (.txt)",
          place, name, samples.size());
    table.add(trimmed(json_field<std::string>(row, "text", place)));
    line_of[samples[rewritten++]] = int64_t(table.size()) - 1;
  }
  size_t covered = 0;
  for (size_t i = 0; i < size(); ++i) {
    const auto& [samples, rewritten] = keys[key(i)];
    check(rewritten == 0 || rewritten == samples.size(),
          "{}: the key '{}' has {} rewrites for {} samples, so it cannot be told which is whose; "
          "rewrite the same data again, or join by line (.txt)",
          file.string(), key(i), rewritten, samples.size());
    covered += rewritten > 0;
  }
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
          {"left_out", left_out_.counts()},
          {"digest", fmt::format("{:016x}", digest)}};
}

}  // namespace laclip

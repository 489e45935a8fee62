#include "data/rewrite_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace laclip {
namespace {

fs::path with_ending(const fs::path& base, const char* ending) { return base.string() + ending; }

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

std::string_view line_at(std::string_view text, uint64_t begin) {
  return text.substr(begin, text.find('\n', begin) - begin);
}

// The first setting that differs, for a message.
std::string difference(const Json& before, const Json& now) {
  for (const auto& [name, value] : now.items())
    if (!before.contains(name) || before[name] != value)
      return fmt::format("{} was {}, now it is {}", name,
                         before.contains(name) ? before[name].dump() : "not set", value.dump());
  return "";
}

}  // namespace

RewriteLog::RewriteLog(const fs::path& base, Json settings, size_t begin, size_t end)
    : base_(base),
      part_(with_ending(base, ".part.jsonl")),
      settings_(std::move(settings)),
      begin_(begin),
      end_(end),
      places_(end - begin, kMissing) {
  if (base.has_parent_path()) make_folders(base.parent_path());
  if (!fs::exists(part_) && fs::exists(with_ending(base, ".jsonl")) &&
      fs::exists(with_ending(base, ".txt"))) {
    const fs::path manifest = with_ending(base, ".settings.json");
    const std::string other = fs::exists(manifest) ? difference(read_json(manifest), settings_)
                                                   : "its settings are not known";
    check(other.empty(),
          "{}: a finished rewrite is there, with other settings ({}); choose another "
          "--output or remove it",
          with_ending(base, ".jsonl").string(), other);
    finished_ = true;
    return;
  }
  file_ = std::make_unique<AppendFile>(part_);  // locked before it is read
  uint64_t keep = 0;
  {
    const MappedFile part(part_);
    const std::string_view text = text_of(part);
    keep = text.rfind('\n') + 1;  // 0 if there is none
    keep = read_back(text.substr(0, keep));
  }
  file_->cut(keep);
  if (keep == 0) file_->append(Json{{"settings", settings_}}.dump() + "\n");
}

uint64_t RewriteLog::read_back(std::string_view text) {
  size_t number = 0;
  uint64_t good = text.size();
  for (size_t at = 0; at < text.size(); ++number) {
    const std::string_view line = line_at(text, at);
    const std::string place = fmt::format("{}:{}", part_.string(), number + 1);
    Json row;
    try {
      row = parse_json(std::string(line), place);
    } catch (const Error& error) {
      if (number == 0) throw;  // somebody else's file
      log_warning(
          "{}; the records from there on are lost ({} lines, as after a power failure), and their "
          "captions are rewritten again",
          error.what(), std::count(text.begin() + int64_t(at), text.end(), '\n'));
      good = at;
      break;
    }
    if (number == 0) {
      const std::string other = difference(row.value("settings", Json::object()), settings_);
      check(other.empty(),
            "{}: this job was begun with other settings ({}); go on with the same, or choose "
            "another --output, or remove this file",
            part_.string(), other);
    } else {
      const auto index = json_field<size_t>(row, "index", place);
      check(index >= begin_ && index < end_, "{}: caption {} is outside of {}..{}", place, index,
            begin_, end_);
      note(row, at);
    }
    at += line.size() + 1;
  }
  if (count_ > 0) log_info("{}: going on after {} captions", part_.string(), count_);
  return good;
}

void RewriteLog::note(const Json& record, uint64_t place) {
  uint64_t& known = places_[record["index"].get<size_t>() - begin_];
  if (known != kMissing) return;
  known = place;
  ++count_;
  const Json flags = record.value("flags", Json::array());
  if (flags.empty()) ++tally_["rewritten"];
  for (const Json& flag : flags) ++tally_[flag.get<std::string>()];
}

void RewriteLog::add(const Json& record) {
  const uint64_t place = file_->size();
  file_->append(record.dump() + "\n");
  note(record, place);
}

void RewriteLog::finish() {
  check(count_ == end_ - begin_, "{}: {} of {} captions are done", part_.string(), count_,
        end_ - begin_);
  const MappedFile part(part_);
  AtomicFile jsonl(with_ending(base_, ".jsonl")), text(with_ending(base_, ".txt"));
  constexpr size_t kAtOnce = 1 << 20;  // bytes of a write
  std::string rows, texts;
  for (const uint64_t place : places_) {
    const std::string_view line = line_at(text_of(part), place);
    rows.append(line) += '\n';
    texts.append(Json::parse(line)["text"].get<std::string>()) += '\n';
    if (rows.size() < kAtOnce) continue;
    jsonl.write(std::exchange(rows, {}));
    text.write(std::exchange(texts, {}));
  }
  jsonl.write(rows);
  text.write(texts);
  write_atomically(with_ending(base_, ".settings.json"), settings_.dump(2) + "\n");
  text.commit();
  jsonl.commit();
  fs::remove(part_);
  file_.reset();
  finished_ = true;
}

}  // namespace laclip

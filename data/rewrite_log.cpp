#include "data/rewrite_log.h"

#include "base/check.h"
#include "base/log.h"

namespace laclip {
namespace {

fs::path with_ending(const fs::path& base, const char* ending) { return base.string() + ending; }

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
      done_(end - begin),
      records_(end - begin) {
  if (base.has_parent_path()) make_folders(base.parent_path());
  uint64_t keep = 0;
  if (fs::exists(part_)) {
    const std::string text = read_text(part_);
    const size_t last = text.rfind('\n');
    keep = last == std::string::npos ? 0 : last + 1;
    if (keep > 0) read_back(text.substr(0, keep));
  } else if (fs::exists(with_ending(base, ".jsonl")) && fs::exists(with_ending(base, ".txt"))) {
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
  file_ = std::make_unique<AppendFile>(part_, keep);
  if (keep == 0) file_->append(Json{{"settings", settings_}}.dump() + "\n");
}

void RewriteLog::read_back(const std::string& text) {
  size_t number = 0;
  for (size_t at = 0; at < text.size(); ++number) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at),
                      place = fmt::format("{}:{}", part_.string(), number + 1);
    const Json row = parse_json(line, place);
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
      if (!done_[index - begin_]) ++count_;
      done_[index - begin_] = true;
      records_[index - begin_] = line;
    }
    at = end + 1;
  }
  if (count_ > 0) log_info("{}: going on after {} captions", part_.string(), count_);
}

void RewriteLog::add(const Json& record) {
  const auto index = record["index"].get<size_t>();
  std::string line = record.dump(-1, ' ', false, Json::error_handler_t::replace);
  file_->append(line + "\n");
  if (!done_[index - begin_]) ++count_;
  done_[index - begin_] = true;
  records_[index - begin_] = std::move(line);
}

void RewriteLog::finish() {
  check(count_ == end_ - begin_, "{}: {} of {} captions are done", part_.string(), count_,
        end_ - begin_);
  AtomicFile jsonl(with_ending(base_, ".jsonl")), text(with_ending(base_, ".txt"));
  for (const std::string& line : records_) {
    const Json row = Json::parse(line);
    jsonl.write(line + "\n");
    text.write(row["text"].get<std::string>() + "\n");
  }
  write_atomically(with_ending(base_, ".settings.json"), settings_.dump(2) + "\n");
  text.commit();
  jsonl.commit();
  file_.reset();
  fs::remove(part_);
  finished_ = true;
}

}  // namespace laclip

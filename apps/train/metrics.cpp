#include "apps/train/metrics.h"

#include <fmt/core.h>

#include <charconv>

#include "base/json.h"

namespace laclip {
namespace {

// How many bytes of `path` belong to rows before `first_step`; step_of reads the step of a line.
template <class StepOf>
uint64_t bytes_before(const fs::path& path, int64_t first_step, StepOf step_of) {
  if (!fs::exists(path)) return 0;
  const std::string text = read_text(path);
  uint64_t keep = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // cut short by a kill
    if (step_of(std::string_view(text).substr(begin, end - begin)) >= first_step) break;
    keep = begin = end + 1;
  }
  return keep;
}

int64_t step_of_json(std::string_view line) {
  if (!Json::accept(line)) return INT64_MAX;
  const Json row = Json::parse(line);
  return row.is_object() ? row.value("step", INT64_MAX) : INT64_MAX;
}

int64_t step_of_csv(std::string_view line) {  // stage,step,tag,value; the header counts as step -1
  if (line.starts_with("stage,")) return -1;
  const size_t comma = line.find(',');
  int64_t step = INT64_MAX;
  if (comma != std::string_view::npos)
    std::from_chars(line.data() + comma + 1, line.data() + line.size(), step);
  return step;
}

}  // namespace

Metrics::Metrics(const fs::path& folder, int64_t first_step)
    : jsonl_(folder / "metrics.jsonl",
             bytes_before(folder / "metrics.jsonl", first_step, step_of_json)),
      csv_(folder / "metrics.csv", bytes_before(folder / "metrics.csv", first_step, step_of_csv)),
      tensorboard_(folder / "tensorboard", first_step) {
  if (csv_.size() == 0) csv_.append("stage,step,tag,value\n");
}

void Metrics::write(const std::string& stage, int64_t step, const MetricValues& values) {
  Json row = {{"stage", stage}, {"step", step}};
  std::string lines;
  MetricValues tagged;
  for (const auto& [tag, value] : values) {
    row[tag] = value;  // JSON has no NaN: it becomes null
    lines += fmt::format("{},{},{},{:.9g}\n", stage, step, tag, value);
    tagged.emplace_back(stage + "/" + tag, value);
  }
  jsonl_.append(row.dump() + "\n");
  csv_.append(lines);
  tensorboard_.scalars(step, tagged);
}

}  // namespace laclip

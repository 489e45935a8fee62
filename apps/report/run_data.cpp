#include "apps/report/run_data.h"

#include <algorithm>
#include <fstream>
#include <limits>

#include "apps/config_file.h"
#include "base/check.h"

namespace laclip {
namespace {

// The values of a JSON-lines file with their places; a last line that a kill cut short is left out.
std::vector<std::pair<Json, std::string>> read_json_lines(const fs::path& file) {
  const std::string text = read_text(file);
  std::vector<std::pair<Json, std::string>> rows;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    const std::string place = fmt::format("{}:{}", file.string(), ++number);
    begin = end + 1;
    if (end == text.size() && !Json::accept(line)) break;
    if (line.find_first_not_of(" \r\t") == std::string::npos) continue;
    rows.emplace_back(parse_json(line, place), place);
    check(rows.back().first.is_object(), "{}: a JSON object is needed, found {}", place,
          line.substr(0, 40));
  }
  return rows;
}

double number_of(const Json& value) {  // null stands for NaN and infinities
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

void read_metrics(RunData& run, const fs::path& file) {
  Evaluation last{"", "validation", {}, {}};
  for (const auto& [row, place] : read_json_lines(file)) {
    const auto stage = json_field<std::string>(row, "stage", place);
    const auto step = double(json_field<int64_t>(row, "step", place));
    if (stage == "train" && row.contains("loss"))
      run.loss.emplace_back(step, number_of(row["loss"]));
    if (stage != "val") continue;
    last.metrics.clear();
    for (const auto& [tag, value] : row.items()) {
      if (tag == "stage" || tag == "step") continue;
      auto found =
          std::find_if(run.val.begin(), run.val.end(),
                       [&, &name = tag](const auto& entry) { return entry.first == name; });
      if (found == run.val.end()) found = run.val.insert(found, {tag, {}});
      found->second.emplace_back(step, number_of(value));
      if (value.is_number()) last.metrics.emplace_back(tag, value.get<double>());
    }
  }
  if (run.evaluations.empty() && !last.metrics.empty()) run.evaluations.push_back(last);
}

// The name of a data set from its path: "world/kind" -> "kind", "sets/test.jsonl" -> "test".
std::string short_name(const std::string& path) {
  fs::path p = fs::path(path).lexically_normal();
  if (!p.has_filename()) p = p.parent_path();
  return p.stem().string();
}

void read_evaluations(RunData& run, const fs::path& file) {
  std::vector<std::string> paths;
  for (const auto& [row, place] : read_json_lines(file)) {
    Evaluation evaluation;
    evaluation.task = json_field<std::string>(row, "task", place, "evaluation");
    paths.push_back(json_field<std::string>(row, "dataset", place, evaluation.task));
    evaluation.data = json_field<std::string>(row, "name", place, short_name(paths.back()));
    const Json metrics = json_field<Json>(row, "metrics", place);
    check(metrics.is_object(), "{}: \"metrics\" is no object; lines of laclip evaluate are needed",
          place);
    for (const auto& [name, value] : metrics.items()) {
      if (value.is_number_float())
        evaluation.metrics.emplace_back(name, value.get<double>());
      else if (value.is_number_integer())
        evaluation.counts.emplace_back(name, value.get<int64_t>());
    }
    run.evaluations.push_back(std::move(evaluation));
  }
  // Data sets whose short names are the same keep their paths.
  std::vector<bool> ambiguous(run.evaluations.size());
  for (size_t i = 0; i < run.evaluations.size(); ++i)
    for (size_t j = 0; j < run.evaluations.size(); ++j)
      ambiguous[i] = ambiguous[i] ||
                     (run.evaluations[i].data == run.evaluations[j].data &&
                      run.evaluations[i].task == run.evaluations[j].task && paths[i] != paths[j]);
  for (size_t i = 0; i < run.evaluations.size(); ++i)
    if (ambiguous[i]) run.evaluations[i].data = paths[i];
}

}  // namespace

RunData read_run(const fs::path& folder) {
  check(fs::is_directory(folder), "{}: there is no such run folder", folder.string());
  RunData run;
  run.folder = folder;
  run.name = fs::canonical(folder).filename().string();
  const fs::path metrics = folder / "metrics.jsonl", evaluations = folder / "evaluation.jsonl";
  check(fs::exists(metrics) || fs::exists(evaluations),
        "{}: neither metrics.jsonl nor evaluation.jsonl is in it; give run folders of laclip train",
        folder.string());
  if (fs::exists(evaluations)) read_evaluations(run, evaluations);
  if (fs::exists(metrics)) read_metrics(run, metrics);
  check(!run.evaluations.empty() || !run.loss.empty(),
        "{}: no metrics in it yet; has the run made its first steps?", folder.string());
  if (fs::exists(folder / "manifest.json")) run.manifest = read_json(folder / "manifest.json");
  if (fs::exists(folder / "config.toml"))
    run.configuration = read_config_file(folder / "config.toml");
  return run;
}

}  // namespace laclip

#include "apps/report/comparison.h"

#include <fmt/core.h>

#include <algorithm>
#include <regex>
#include <set>

namespace laclip {
namespace {

std::string without_seed(const std::string& name) {
  static const std::regex seed("[-_](seed[-_]?|s)[0-9]+$");
  const std::string short_name = std::regex_replace(name, seed, "");
  return short_name.empty() ? name : short_name;
}

std::string counts_text(const Evaluation& evaluation) {
  std::string text;
  for (const auto& [name, count] : evaluation.counts) {
    if (name != "images" && name != "classes" && name != "texts") continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  }
  return text;
}

void add_columns(std::vector<Column>& columns, const RunData& run) {
  for (const Evaluation& evaluation : run.evaluations)
    for (const auto& [metric, value] : evaluation.metrics) {
      auto found = std::find_if(columns.begin(), columns.end(), [&, &name = metric](auto& column) {
        return column.data == evaluation.data && column.metric == name;
      });
      if (found == columns.end()) {
        // Behind the last column of the same data set.
        const auto last = std::find_if(columns.rbegin(), columns.rend(), [&](auto& column) {
          return column.data == evaluation.data;
        });
        const auto at = last == columns.rend() ? columns.end() : last.base();
        found = columns.insert(at, {evaluation.data, metric, metric_label(metric),
                                    counts_text(evaluation), metric_is_headline(metric),
                                    !less_is_better(metric), less_is_better(metric)});
      }
      found->share = found->share && value >= 0 && value <= 1;
    }
}

std::optional<double> value_of(const RunData& run, const Column& column) {
  for (const Evaluation& evaluation : run.evaluations)
    if (evaluation.data == column.data)
      for (const auto& [metric, value] : evaluation.metrics)
        if (metric == column.metric) return value;
  return std::nullopt;
}

std::optional<Cell> cell_of(const Row& row, const Column& column) {
  std::vector<double> values;
  for (const RunData* run : row.runs)
    if (const auto value = value_of(*run, column)) values.push_back(*value);
  if (values.empty()) return std::nullopt;
  Cell cell{values.size(), 0, 0};
  for (const double value : values) cell.mean += value / double(cell.n);
  for (const double value : values)
    cell.deviation +=
        (value - cell.mean) * (value - cell.mean) / double(std::max<size_t>(cell.n, 2) - 1);
  cell.deviation = std::sqrt(cell.deviation);
  return cell;
}

}  // namespace

bool less_is_better(const std::string& metric) {
  return metric.find("loss") != std::string::npos || metric.find("perplexity") != std::string::npos;
}

std::string metric_label(const std::string& metric) {
  if (metric == "acc1") return "top-1";
  if (metric == "acc5") return "top-5";
  if (metric == "mean_per_class_recall") return "mean per class";
  if (metric.starts_with("image_to_text_")) return "image → text " + metric.substr(14);
  if (metric.starts_with("text_to_image_")) return "text → image " + metric.substr(14);
  std::string label = metric;
  std::replace(label.begin(), label.end(), '_', ' ');
  return label;
}

bool metric_is_headline(const std::string& metric) {
  for (const char* detail : {"acc5", "mean_per_class_recall", "R@5", "R@10"})
    if (metric.ends_with(detail)) return false;
  return true;
}

std::string Column::format(double value) const {
  return share ? fmt::format("{:.1f}", 100 * value) : fmt::format("{:.4g}", value);
}

std::string Column::difference(double value) const {
  const std::string text = format(std::abs(value));
  if (text == format(0)) return "±" + text;
  return (value < 0 ? "−" : "+") + text;
}

bool Comparison::grouped() const {
  return std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.runs.size() > 1; });
}

std::string Comparison::best(size_t column) const {
  std::optional<double> best;
  size_t count = 0;
  for (const auto& row : cells) {
    if (!row[column]) continue;
    const double value = row[column]->mean;
    if (!best || (columns[column].less_is_better ? value < *best : value > *best)) best = value;
    ++count;
  }
  return count > 1 ? columns[column].format(*best) : "";
}

Comparison compare_runs(const std::vector<RunData>& runs, const std::vector<std::string>& groups) {
  Comparison result;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string name = groups.empty() ? without_seed(runs[i].name) : groups[i];
    auto row = std::find_if(result.rows.begin(), result.rows.end(),
                            [&](const Row& r) { return r.name == name; });
    if (row == result.rows.end()) row = result.rows.insert(row, {name, {}});
    row->runs.push_back(&runs[i]);
    add_columns(result.columns, runs[i]);
  }
  for (Row& row : result.rows) {
    if (row.runs.size() == 1 && groups.empty()) row.name = row.runs[0]->name;
    auto& cells = result.cells.emplace_back();
    for (const Column& column : result.columns) cells.push_back(cell_of(row, column));
  }
  return result;
}

Comparison compare_single_runs(const std::vector<RunData>& runs) {
  std::vector<std::string> names;
  for (const RunData& run : runs) names.push_back(run.name);
  return compare_runs(runs, names);
}

std::vector<std::string> other_differences(const Row& row) {
  static const std::set<std::string> expected{"seed", "name", "logs", "resume", "workers"};
  std::set<std::string> different;
  const auto& first = row.runs[0]->configuration;
  for (const RunData* run : row.runs) {
    const auto& other = run->configuration;
    for (const auto& [a, b] : {std::pair{&first, &other}, std::pair{&other, &first}})
      for (const auto& [option, value] : *a) {
        const auto found = b->find(option);
        if (!expected.contains(option) && (found == b->end() || found->second != value))
          different.insert(option);
      }
  }
  return {different.begin(), different.end()};
}

}  // namespace laclip

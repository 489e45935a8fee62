// Runs side by side: rows are runs, or groups of runs that differ in their seed; columns are the
// metrics of their evaluations.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "apps/report/run_data.h"

namespace laclip {

struct Column {
  std::string data, metric;  // name of the data set, name of the metric in the file
  std::string label;         // for people: "top-1"
  std::string counts;        // "400 images, 10 classes"
  bool headline = false;     // belongs into a short table
  bool share = true;         // in [0, 1], shown in percent
  bool less_is_better = false;

  std::string format(double value) const;      // without a unit
  std::string difference(double value) const;  // with a sign; of shares in points
};

struct Row {
  std::string name;
  std::vector<const RunData*> runs;
};

struct Cell {
  size_t n = 0;
  double mean = 0, deviation = 0;  // deviation: of a sample, 0 if n = 1
};

struct Comparison {
  std::vector<Row> rows;
  std::vector<Column> columns;
  std::vector<std::vector<std::optional<Cell>>> cells;  // [row][column]

  bool grouped() const;  // whether a row holds several runs
  // The best value of a column, as it is shown; "" if only one row has one.
  std::string best(size_t column) const;
};

// A group for each run, by `groups` (one name a run), or, if that is empty, by the name of the run
// without "-seedN", "_seed_N", "-sN".
Comparison compare_runs(const std::vector<RunData>& runs, const std::vector<std::string>& groups);

// The same with a row for each run.
Comparison compare_single_runs(const std::vector<RunData>& runs);

// "accuracy, %": the metric in people's words.
std::string metric_label(const std::string& metric);
bool metric_is_headline(const std::string& metric);
bool less_is_better(const std::string& metric);

// Options in which the runs of a row differ, apart from seed and names.
std::vector<std::string> other_differences(const Row& row);

}  // namespace laclip

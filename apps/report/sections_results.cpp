// The summary, the table of results, the figures of single runs.
#include <fmt/core.h>

#include <algorithm>

#include "apps/report/sections.h"

namespace laclip {
namespace {

constexpr size_t kFewColumns = 6;  // as many as a table shows at once; more go into <details>

std::string unit(const Column& column) { return column.share ? "\u00A0%" : ""; }

// "61.3 % top-1 on kind"
std::string in_words(const Column& column, double value) {
  return fmt::format("{}{} {} on {}", column.format(value), unit(column), column.label,
                     column.data);
}

std::vector<size_t> columns_where(const Comparison& c, bool headlines_only) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < c.columns.size(); ++i)
    if (c.columns[i].headline || !headlines_only) chosen.push_back(i);
  return chosen;
}

void header(Html& html, const Comparison& c, const std::vector<size_t>& columns) {
  html.nest("tr", {}, [&] {
    html.element("th", "run", {{"scope", "col"}, {"rowspan", "2"}});
    if (c.grouped())
      html.element("th", "n", {{"scope", "col"}, {"rowspan", "2"}, {"class", "number"}});
    for (size_t i = 0; i < columns.size();) {
      const Column& first = c.columns[columns[i]];
      size_t end = i;
      while (end < columns.size() && c.columns[columns[end]].data == first.data) ++end;
      html.nest("th",
                {{"scope", "colgroup"}, {"colspan", std::to_string(end - i)}, {"class", "data"}},
                [&] {
                  html.text(first.data);
                  if (!first.counts.empty()) html.element("small", first.counts);
                });
      i = end;
    }
  });
  html.nest("tr", {}, [&] {
    for (const size_t column : columns)
      html.element("th", c.columns[column].label + unit(c.columns[column]),
                   {{"scope", "col"}, {"class", "number"}});
  });
}

void cell(Html& html, const Comparison& c, size_t row, size_t column) {
  const auto& cell = c.cells[row][column];
  const Column& kind = c.columns[column];
  if (!cell) return html.element("td", "–", {{"class", "number"}});
  html.nest("td", {{"class", "number"}}, [&] {
    const std::string value = kind.format(cell->mean);
    html.element(value == c.best(column) ? "b" : "span", value);
    if (cell->n > 1) html.element("span", " ± " + kind.format(cell->deviation));
    const auto& first = c.cells[0][column];
    if (c.rows.size() > 1)  // an empty one in the first row keeps the values in line
      html.element("small",
                   row > 0 && first ? kind.difference(cell->mean - first->mean) : std::string(),
                   {{"class", "difference"}});
  });
}

void table(Html& html, const Comparison& c, const std::vector<size_t>& columns,
           const std::string& name) {
  html.nest("div",
            {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", name}},
            [&] {
              html.nest("table", {}, [&] {
                html.nest("thead", {}, [&] { header(html, c, columns); });
                html.nest("tbody", {}, [&] {
                  for (size_t row = 0; row < c.rows.size(); ++row)
                    html.nest("tr", {}, [&] {
                      html.element("th", c.rows[row].name, {{"scope", "row"}});
                      if (c.grouped())
                        html.element("td", std::to_string(c.rows[row].runs.size()),
                                     {{"class", "number"}});
                      for (const size_t column : columns) cell(html, c, row, column);
                    });
                });
              });
            });
}

void explanation(Html& html, const Comparison& c) {
  std::string text;
  if (c.rows.size() > 1)
    text = "Bold: the best of a column. Small: the difference to " + c.rows[0].name +
           " (shares: in points).";
  if (c.grouped())
    text += " A value is the mean of n runs, ± their standard deviation (of a sample).";
  for (const Row& row : c.rows)
    if (const auto options = other_differences(row); !options.empty()) {
      text += fmt::format(" The runs of {} differ not only in the seed, also in:", row.name);
      for (const std::string& option : options) text += " " + option;
      text += ".";
    }
  if (!text.empty()) html.element("p", text, {{"class", "note"}});
}

}  // namespace

std::string summary(const Comparison& c) {
  const auto headlines = columns_where(c, true);
  if (headlines.empty()) return c.rows[0].name + " has not been evaluated yet.";
  const size_t column = headlines[0];
  const Column& kind = c.columns[column];
  const auto better = [&](size_t a, size_t b) {  // whether row a is ahead of row b
    const auto &x = c.cells[a][column], &y = c.cells[b][column];
    if (!x || !y) return bool(x);
    return kind.less_is_better ? x->mean < y->mean : x->mean > y->mean;
  };
  size_t best = 0, second = c.rows.size();
  for (size_t row = 1; row < c.rows.size(); ++row)
    if (better(row, best)) best = row;
  for (size_t row = 0; row < c.rows.size(); ++row)
    if (row != best && c.cells[row][column] && (second == c.rows.size() || better(row, second)))
      second = row;
  const Cell& top = *c.cells[best][column];
  std::string text = fmt::format("{} reaches {}", c.rows[best].name, in_words(kind, top.mean));
  if (top.n > 1) text += fmt::format(" (mean of {} runs)", top.n);
  // The first run is what the others are measured by.
  const size_t other = best == 0 ? second : 0;
  if (other < c.rows.size() && c.cells[other][column]) {
    const double ahead = std::abs(top.mean - c.cells[other][column]->mean);
    if (kind.format(ahead) == kind.format(0))
      text += ", as " + c.rows[other].name + " does";
    else
      text += fmt::format(", {}{} {} {}", kind.format(ahead), kind.share ? " points" : "",
                          kind.less_is_better ? "below" : "above", c.rows[other].name);
    if (top.n > 1 && ahead < std::max(top.deviation, c.cells[other][column]->deviation))
      text += ", which is less than the spread of the runs";
  }
  text += ".";
  if (c.rows.size() < 2 || headlines.size() < 2) return text;
  size_t won = 0;
  for (const size_t i : headlines)
    won += c.cells[best][i] && c.columns[i].format(c.cells[best][i]->mean) == c.best(i);
  return text +
         fmt::format(" It is the best in {} of the {} main measures.", won, headlines.size());
}

void results_section(Html& html, const std::vector<RunData>& runs, const Comparison& c) {
  if (c.columns.empty()) return;
  section(html, "Results", [&] {
    const auto all = columns_where(c, false), headlines = columns_where(c, true);
    const bool few = all.size() <= kFewColumns || headlines.empty();
    table(html, c, few ? all : headlines, "results");
    explanation(html, c);
    if (!few) details(html, "All measures", [&] { table(html, c, all, "all measures"); });
    if (c.grouped())
      details(html, "Single runs", [&] {
        const Comparison single = compare_single_runs(runs);
        table(html, single, columns_where(single, few ? false : true), "single runs");
      });
  });
}

}  // namespace laclip

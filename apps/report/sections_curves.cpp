// Loss and evaluation over the steps.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "apps/report/chart.h"
#include "apps/report/sections.h"

namespace laclip {
namespace {

constexpr size_t kMostPoints = 240;  // more than a drawing of this width can show

// At most kMostPoints points: means of `every` points in a row (1: the points as they are).
Points thinned(const Points& points, size_t every) {
  if (every == 1) return points;
  Points result;
  for (size_t begin = 0; begin < points.size(); begin += every) {
    const size_t end = std::min(points.size(), begin + every);
    double x = 0, y = 0;
    for (size_t i = begin; i < end; ++i) {
      x += points[i].first / double(end - begin);
      y += points[i].second / double(end - begin);
    }
    result.emplace_back(x, y);
  }
  return result;
}

void figure(Html& html, const std::string& caption, const LineChart& chart) {
  html.nest("figure", {}, [&] {
    html.element("figcaption", caption);
    line_chart(html, chart);
  });
}

void loss_curve(Html& html, const Comparison& c) {
  size_t most = 0;
  for (const Row& row : c.rows)
    for (const RunData* run : row.runs) most = std::max(most, run->loss.size());
  if (most == 0) return;
  const size_t every = (most + kMostPoints - 1) / kMostPoints;
  LineChart chart{"Training loss", "steps", "loss", {}};
  for (size_t row = 0; row < c.rows.size(); ++row)
    for (const RunData* run : c.rows[row].runs)
      chart.lines.push_back({run->name, int(row), thinned(run->loss, every)});
  figure(html,
         every == 1 ? "Training loss, as logged"
                    : fmt::format("Training loss, means of {} logged values", every),
         chart);
}

void val_curve(Html& html, const Comparison& c, const std::string& tag) {
  const std::string label = metric_label(tag);
  bool share = !less_is_better(tag);
  LineChart chart{"Validation: " + label, "steps", label, {}};
  for (size_t row = 0; row < c.rows.size(); ++row)
    for (const RunData* run : c.rows[row].runs)
      for (const auto& [name, points] : run->val)
        if (name == tag) {
          chart.lines.push_back({run->name, int(row), points});
          for (const auto& [x, y] : points) share = share && !(y < 0) && !(y > 1);
        }
  if (share) {
    chart.y_label += ", %";
    for (Line& line : chart.lines)
      for (auto& [x, y] : line.points) y *= 100;
  }
  figure(html, "Validation, " + chart.y_label, chart);
}

}  // namespace

void curves_section(Html& html, const Comparison& c) {
  std::vector<std::string> main, other;
  bool loss = false;
  for (const Row& row : c.rows)
    for (const RunData* run : row.runs) {
      loss = loss || !run->loss.empty();
      for (const auto& [tag, points] : run->val) {
        auto& list = metric_is_headline(tag) ? main : other;
        if (std::find(list.begin(), list.end(), tag) == list.end()) list.push_back(tag);
      }
    }
  if (!loss && main.empty() && other.empty()) return;
  section(html, "Curves", [&] {
    std::vector<std::pair<std::string, int>> styles;
    for (size_t row = 0; row < c.rows.size(); ++row)
      styles.emplace_back(c.rows[row].name, int(row));
    legend(html, styles);
    if (c.grouped())
      html.element("p", "Runs of one name that differ in the seed share colour and dashes.",
                   {{"class", "note"}});
    html.nest("div", {{"class", "charts"}}, [&] {
      loss_curve(html, c);
      for (const std::string& tag : main) val_curve(html, c, tag);
    });
    if (!other.empty())
      details(html, "More curves", [&] {
        html.nest("div", {{"class", "charts"}}, [&] {
          for (const std::string& tag : other) val_curve(html, c, tag);
        });
      });
  });
}

}  // namespace laclip

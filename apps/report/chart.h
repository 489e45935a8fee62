// Line and bar charts as inline SVG. Colours and dashes come from the page's style sheet by class
// (s0 … s7), so they follow its colour scheme; the dashes tell lines apart in greyscale.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/report/html.h"

namespace laclip {

constexpr int kChartStyles = 8;

struct Line {
  std::string name;
  int style = 0;                                  // lines of one style belong together
  std::vector<std::pair<double, double>> points;  // by rising x; a y that is not finite is a gap
};

struct LineChart {
  std::string title, x_label, y_label;
  std::vector<Line> lines;
};

void line_chart(Html& html, const LineChart& chart);
// A sample of the line and its name, for each style.
void legend(Html& html, const std::vector<std::pair<std::string, int>>& names_and_styles);

struct Bar {
  std::string label, figure;
  double value = 0;
};
void bar_chart(Html& html, const std::string& title, const std::vector<Bar>& bars);

// Round numbers (1, 2 or 5 times a power of ten apart), about `count` of them, the first at or
// below `low` and the last at or above `high`.
std::vector<double> round_ticks(double low, double high, int count);
// With as many decimals as the distance of the ticks needs, thousands set apart.
std::string tick_text(double value, double distance);

}  // namespace laclip

#include "apps/report/chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace laclip {
namespace {

// Units of the drawing; on a telephone one is a little less than a CSS pixel.
constexpr double kWidth = 420, kHeight = 260, kLeft = 50, kRight = 16, kTop = 28, kBottom = 44;

std::string number(double x) { return fmt::format("{:.1f}", x); }

// <svg> with title and description for those who do not see it.
template <class Body>
void drawing(Html& html, double width, double height, const std::string& title,
             const std::string& description, Body&& body) {
  const std::string title_id = html.unique_id(), description_id = html.unique_id();
  html.nest("svg",
            {{"viewBox", fmt::format("0 0 {:g} {:g}", width, height)},
             {"role", "img"},
             {"aria-labelledby", title_id + " " + description_id}},
            [&] {
              html.element("title", title, {{"id", title_id}});
              html.element("desc", description, {{"id", description_id}});
              body();
            });
}

void label(Html& html, double x, double y, const char* anchor, const std::string& text,
           const char* kind = "tick") {
  html.element("text", text,
               {{"x", number(x)}, {"y", number(y)}, {"text-anchor", anchor}, {"class", kind}});
}

struct Range {
  double low = std::numeric_limits<double>::infinity(),
         high = -std::numeric_limits<double>::infinity();
  void add(double x) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
};

// Maps data to the drawing.
struct Axis {
  std::vector<double> ticks;
  double begin, end;  // where the first and the last tick are drawn
  double at(double value) const {
    return begin + (value - ticks.front()) / (ticks.back() - ticks.front()) * (end - begin);
  }
  double distance() const { return ticks[1] - ticks[0]; }
};

void draw_line(Html& html, const Line& line, const Axis& x, const Axis& y) {
  std::string path;
  bool gap = true;
  for (const auto& [px, py] : line.points) {
    if (std::isfinite(py)) {
      path += fmt::format("{}{:.1f} {:.1f}", gap ? "M" : "L", x.at(px), y.at(py));
    }
    gap = !std::isfinite(py);
  }
  if (path.empty()) return;
  const std::string style = fmt::format("s{}", line.style % kChartStyles);
  html.nest("g", {{"class", style}}, [&] {
    html.nest("path", {{"class", "line"}, {"d", path}}, [&] { html.element("title", line.name); });
    if (line.points.size() > 20) return;
    for (const auto& [px, py] : line.points)
      if (std::isfinite(py))
        html.shape("circle", {{"cx", number(x.at(px))}, {"cy", number(y.at(py))}, {"r", "2.6"}});
  });
}

// "clip from 4.61 to 3.92; laclip …": the chart in words.
std::string in_words(const LineChart& chart) {
  std::string text = fmt::format("{} over {}.", chart.y_label, chart.x_label);
  for (const Line& line : chart.lines)
    if (!line.points.empty())
      text += fmt::format(" {}: from {:.4g} to {:.4g}.", line.name, line.points.front().second,
                          line.points.back().second);
  return text;
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int count) {
  if (!(high > low)) high = low + std::max(1e-6, std::abs(low) * 0.1);
  const double rough = (high - low) / count, power = std::pow(10, std::floor(std::log10(rough)));
  double distance = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * 0.999) distance = factor * power;
  std::vector<double> ticks;
  const double first = std::floor(low / distance + 1e-9);
  for (double i = first; ticks.size() < 2 || ticks.back() < high - 1e-9 * distance; ++i)
    ticks.push_back(i * distance);
  return ticks;
}

std::string tick_text(double value, double distance) {
  const int decimals = std::clamp(int(std::ceil(-std::log10(distance) - 1e-9)), 0, 9);
  std::string text = fmt::format("{:.{}f}", std::abs(value), decimals);
  const size_t point = std::min(text.find('.'), text.size());
  if (point > 4)
    for (size_t at = point; at > 3; at -= 3) text.insert(at - 3, ",");
  return value < 0 ? "−" + text : text;
}

void line_chart(Html& html, const LineChart& chart) {
  Range across, up;
  across.add(0);
  for (const Line& line : chart.lines)
    for (const auto& [x, y] : line.points)
      if (std::isfinite(y)) across.add(x), up.add(y);
  if (up.low > up.high) return;                        // nothing to draw
  if (up.low > 0 && up.low < up.high / 2) up.low = 0;  // the zero is near: show it
  Axis x{round_ticks(across.low, across.high, 5), kLeft, kWidth - kRight};
  const Axis y{round_ticks(up.low, up.high, 5), kHeight - kBottom, kTop};
  // Across, the axis ends with the data, not at the tick behind it.
  const double per_unit = (x.end - x.begin) / (across.high - across.low);
  if (across.high > 0) {
    while (x.ticks.size() > 2 && x.ticks.back() > across.high) x.ticks.pop_back();
    x.end = x.begin + (x.ticks.back() - x.ticks.front()) * per_unit;
  }
  drawing(html, kWidth, kHeight, chart.title, in_words(chart), [&] {
    label(html, 0, 14, "start", chart.y_label, "axis");
    label(html, (kLeft + kWidth - kRight) / 2, kHeight - 6, "middle", chart.x_label, "axis");
    for (const double tick : y.ticks) {
      const std::string at = number(y.at(tick));
      html.shape("line", {{"class", "grid"},
                          {"x1", number(kLeft)},
                          {"x2", number(kWidth - kRight)},
                          {"y1", at},
                          {"y2", at}});
      label(html, kLeft - 8, y.at(tick) + 4, "end", tick_text(tick, y.distance()));
    }
    for (const double tick : x.ticks)
      label(html, x.at(tick), kHeight - kBottom + 18, "middle", tick_text(tick, x.distance()));
    for (const Line& line : chart.lines) draw_line(html, line, x, y);
  });
}

void legend(Html& html, const std::vector<std::pair<std::string, int>>& names_and_styles) {
  html.nest("ul", {{"class", "legend"}}, [&] {
    for (const auto& entry : names_and_styles)
      html.nest("li", {}, [&] {
        html.nest("svg",
                  {{"viewBox", "0 0 36 10"},
                   {"aria-hidden", "true"},
                   {"class", fmt::format("s{}", entry.second % kChartStyles)}},
                  [&] {
                    html.shape("path", {{"class", "line"}, {"d", "M1 5L35 5"}});
                  });
        html.text(entry.first);
      });
  });
}

void bar_chart(Html& html, const std::string& title, const std::vector<Bar>& bars) {
  constexpr double kRow = 40, kFigure = 76;  // height of a row, width of the figures
  double most = 0;
  std::string words;
  for (const Bar& bar : bars) {
    most = std::max(most, bar.value);
    words += bar.label + ": " + bar.figure + ". ";
  }
  drawing(html, kWidth, kRow * double(bars.size()) + 4, title, words, [&] {
    double top = 0;
    for (const Bar& bar : bars) {
      const double full = kWidth - kFigure, width = most > 0 ? bar.value / most * full : 0;
      label(html, 0, top + 14, "start", bar.label, "name");
      html.shape("rect", {{"class", "bar"},
                          {"x", "0"},
                          {"y", number(top + 20)},
                          {"width", number(std::max(width, 1.0))},
                          {"height", "12"},
                          {"rx", "2"}});
      label(html, kWidth, top + 31, "end", bar.figure);
      top += kRow;
    }
  });
}

}  // namespace laclip

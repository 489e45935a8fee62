#include "base/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"

namespace laclip {

Progress::Progress(std::string title, std::string unit, int64_t total, int64_t start)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      start_(start),
      done_(start),
      terminal_(isatty(STDERR_FILENO)) {}

Progress::~Progress() { finish(); }

void Progress::update(int64_t done, const std::string& extra) {
  done_ = done;
  extra_ = extra;
  if (timer_.seconds() < next_draw_) return;
  draw(false);
  next_draw_ = timer_.seconds() + (terminal_ ? 0.2 : 10.0);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  draw(true);
}

void Progress::draw(bool last) {
  if (log_level() < LogLevel::info) return;
  const double elapsed = timer_.seconds();
  const double rate = elapsed > 0 ? double(done_ - start_) / elapsed : 0;
  std::string line = fmt::format("{}: {}", title_, done_);
  if (total_ > 0) {
    line += fmt::format("/{} ({:.0f}%)", total_, 100.0 * double(done_) / double(total_));
    if (terminal_) {
      const int width = 24, filled = int(width * std::min(1.0, double(done_) / double(total_)));
      line = fmt::format("[{:=<{}}{:{}}] ", "", filled, "", width - filled) + line;
    }
  }
  line += fmt::format("  {:.4g} {}/s", rate, unit_);
  if (last)
    line += fmt::format("  in {}", format_duration(elapsed));
  else if (total_ > 0 && rate > 0)
    line += fmt::format("  ETA {}", format_duration(double(total_ - done_) / rate));
  if (!extra_.empty()) line += "  " + extra_;
  if (terminal_)
    fmt::print(stderr, "\r\033[K{}{}", line, last ? "\n" : "");
  else
    fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

std::string format_duration(double seconds) {
  const auto s = int64_t(std::max(0.0, seconds) + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string format_bytes(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) bytes /= 1024, ++unit;
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

}  // namespace laclip

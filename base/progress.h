// Progress of long work: a bar on a terminal, a plain line every few seconds otherwise, both with
// rate and time to go. Quiet when the log level is quiet.
#pragma once

#include <cstdint>
#include <string>

#include "base/timer.h"

namespace laclip {

class Progress {
 public:
  // done counts from `start` (> 0 after a resume) to `total`; total 0 = unknown.
  Progress(std::string title, std::string unit, int64_t total, int64_t start = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(int64_t done, const std::string& extra = "");  // cheap; draws a few times a second
  void finish();                                             // draws the last state and a newline

 private:
  void draw(bool last);
  std::string title_, unit_, extra_;
  int64_t total_, start_, done_;
  bool terminal_, finished_ = false;
  double next_draw_ = 0;
  Timer timer_;
};

std::string format_duration(double seconds);  // 75 -> "1:15", 3675 -> "1:01:15"
std::string format_bytes(double bytes);       // 1536 -> "1.5 KiB"

}  // namespace laclip

// TensorBoard event files: TFRecords of protobuf Events that hold scalars.
//
// A record is: length (u64), masked CRC-32C of the length, the Event, masked CRC-32C of the Event.
// Event: 1 wall_time (double), 2 step (varint), 3 file_version (string), 5 summary, 7 session_log;
// SessionLog: 1 status (varint, START = 1);
// Summary: 1 value (repeated); Value: 1 tag (string), 2 simple_value (float).
// (tensorflow/core/util/event.proto, framework/summary.proto)
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/file.h"

namespace laclip {

class TensorboardWriter {
 public:
  // Opens folder/events.out.tfevents.<time>.<host>.<process>, a new file for each start of a run,
  // as TensorBoard expects. A run that goes on with step `first_step` > 1 supersedes what earlier
  // files hold from there on.
  explicit TensorboardWriter(const fs::path& folder, int64_t first_step = 1);
  void scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);

 private:
  void record(const std::string& event);
  AppendFile file_;
};

uint32_t crc32c(std::string_view bytes);         // Castagnoli
std::string tfrecord(std::string_view payload);  // the framing above

}  // namespace laclip

// The folder of a training run: LOGS/NAME/ with config.toml, manifest.json, metrics, checkpoints/.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/json.h"

namespace laclip {

class RunFolder {
 public:
  using IsCheckpoint = bool(const fs::path& folder);

  // Error if the folder holds a run already and none is to be resumed (resume is not "latest").
  // Nothing is made yet.
  RunFolder(const std::string& logs, const std::string& name, std::string resume,
            IsCheckpoint* is_checkpoint);
  // Makes it, and keeps other processes out of it as long as this object lives.
  void create();

  const fs::path& path() const { return path_; }
  // The checkpoint to go on from; empty if there is none. Where checkpoints/latest is missing or
  // leads nowhere, it is the newest whole checkpoint.
  fs::path resume_from() const;
  // Lets `write` make checkpoints/step_NNNNNNNN and checkpoints/latest point to it; keeps the last
  // `keep`.
  void save(int64_t step, int keep, const std::function<void(const fs::path&)>& write) const;

 private:
  fs::path path_;
  std::string resume_;
  IsCheckpoint* is_checkpoint_;
  std::optional<AppendFile> lock_;
};

// Error if the run that the checkpoint belongs to differs from this one in what decides its course;
// the checkpoint's state holds what it was as "identity".
void check_identity(const Json& state, const Json& identity, const fs::path& checkpoint);

}  // namespace laclip

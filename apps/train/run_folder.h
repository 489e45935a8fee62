// The folder of a training run: logs/NAME/ with config.toml, manifest.json, metrics and
// checkpoints/.
#pragma once

#include <string>

#include "apps/train/options.h"
#include "base/file.h"
#include "base/json.h"
#include "models/clip.h"

namespace laclip {

class RunFolder {
 public:
  // Error if the folder holds a run already and none is to be resumed. Nothing is made yet.
  explicit RunFolder(const TrainOptions& options);
  void create() const;

  const fs::path& path() const { return path_; }
  // The checkpoint to go on from; empty if there is none. Where checkpoints/latest is missing or
  // leads nowhere, it is the newest whole checkpoint.
  fs::path resume_from(const TrainOptions& options) const;
  // Writes checkpoints/step_NNNNNNNN and lets checkpoints/latest point to it; keeps the last
  // `keep`.
  void save(const Clip& model, int64_t step, const Json& state, int keep) const;

 private:
  fs::path path_;
};

}  // namespace laclip

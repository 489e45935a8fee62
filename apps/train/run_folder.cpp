#include "apps/train/run_folder.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "models/clip_checkpoint.h"

namespace laclip {
namespace {

std::string default_name(const TrainOptions& o) {
  return fmt::format("{}-lr_{:g}-b_{}-seed_{}", fs::path(o.model).stem().string(), o.lr,
                     o.batch_size * o.accum_freq, o.seed);
}

// The folders step_*, in order.
std::vector<fs::path> checkpoints(const fs::path& folder) {
  std::vector<fs::path> all;
  if (!fs::exists(folder)) return all;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("step_") && entry.path().extension() != ".tmp")
      all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

RunFolder::RunFolder(const TrainOptions& o)
    : path_(fs::path(o.logs) / (o.name.empty() ? default_name(o) : o.name)) {
  check(o.resume == "latest" || !fs::exists(path_ / "metrics.jsonl"),
        "{}: a run is there already; go on with "
        "it by --resume latest, or choose another --name",
        path_.string());
}

void RunFolder::create() const { make_folders(path_ / "checkpoints"); }

fs::path RunFolder::resume_from(const TrainOptions& o) const {
  if (o.resume.empty()) return {};
  if (o.resume != "latest") {
    check(fs::exists(o.resume), "--resume {}: there is no such checkpoint", o.resume);
    return o.resume;
  }
  const fs::path folder = path_ / "checkpoints", latest = folder / "latest";
  if (is_checkpoint(latest)) return latest;
  auto all = checkpoints(folder);
  while (!all.empty() && !is_checkpoint(all.back())) all.pop_back();
  if (!all.empty()) {
    log_warning("{}: leads to no checkpoint; {} is the newest that is whole", latest.string(),
                all.back().string());
    return all.back();
  }
  check(!fs::is_symlink(latest),
        "{}: leads to no checkpoint, and there is no other one; give one by --resume FOLDER, or "
        "remove this run",
        latest.string());
  return {};
}

void RunFolder::save(const Clip& model, int64_t step, const Json& state, int keep) const {
  const fs::path folder = path_ / "checkpoints";
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".tmp") fs::remove_all(entry.path());  // of a killed run
  const std::string name = fmt::format("step_{:08}", step);
  save_checkpoint(model, folder / name, state);
  const fs::path link = folder / "latest.tmp";
  fs::create_directory_symlink(name, link);
  fs::rename(link, folder / "latest");

  const auto all = checkpoints(folder);
  for (size_t i = 0; i + size_t(keep) < all.size(); ++i)
    if (all[i].filename() != name) fs::remove_all(all[i]);
}

}  // namespace laclip

#include "apps/train/run_folder.h"

#include <algorithm>

#include "base/check.h"
#include "models/clip_checkpoint.h"

namespace laclip {
namespace {

std::string default_name(const TrainOptions& o) {
  return fmt::format("{}-lr_{:g}-b_{}-seed_{}", fs::path(o.model).stem().string(), o.lr,
                     o.batch_size * o.accum_freq, o.seed);
}

}  // namespace

RunFolder::RunFolder(const TrainOptions& o)
    : path_(fs::path(o.logs) / (o.name.empty() ? default_name(o) : o.name)) {
  check(o.resume == "latest" || !fs::exists(path_ / "metrics.jsonl"),
        "{}: a run is there already; go on with "
        "it by --resume latest, or choose another --name",
        path_.string());
  make_folders(path_ / "checkpoints");
}

fs::path RunFolder::resume_from(const TrainOptions& o) const {
  if (o.resume.empty()) return {};
  if (o.resume != "latest") {
    check(fs::exists(o.resume), "--resume {}: there is no such checkpoint", o.resume);
    return o.resume;
  }
  const fs::path latest = path_ / "checkpoints/latest";
  return fs::exists(latest) ? latest : fs::path();
}

void RunFolder::save(const Clip& model, int64_t step, const Json& state, int keep) const {
  const fs::path folder = path_ / "checkpoints";
  const std::string name = fmt::format("step_{:08}", step);
  save_checkpoint(model, folder / name, state);
  const fs::path link = folder / "latest.tmp";
  fs::remove(link);
  fs::create_directory_symlink(name, link);
  fs::rename(link, folder / "latest");

  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("step_") && entry.path().extension() != ".tmp")
      all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  for (size_t i = 0; i + size_t(keep) < all.size(); ++i)
    if (all[i].filename() != name) fs::remove_all(all[i]);
}

}  // namespace laclip

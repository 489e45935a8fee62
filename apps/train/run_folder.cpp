#include "apps/train/run_folder.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace laclip {
namespace {

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

RunFolder::RunFolder(const std::string& logs, const std::string& name, std::string resume,
                     IsCheckpoint* is_checkpoint)
    : path_(fs::path(logs) / name), resume_(std::move(resume)), is_checkpoint_(is_checkpoint) {
  check(resume_ == "latest" || !fs::exists(path_ / "metrics.jsonl"),
        "{}: a run is there already; go on with it by --resume latest, or choose another --name",
        path_.string());
}

void RunFolder::create() {
  make_folders(path_ / "checkpoints");
  lock_.emplace(path_ / ".lock");
}

fs::path RunFolder::resume_from() const {
  if (resume_.empty()) return {};
  if (resume_ != "latest") {
    check(fs::exists(resume_), "--resume {}: there is no such checkpoint", resume_);
    return resume_;
  }
  const fs::path folder = path_ / "checkpoints", latest = folder / "latest";
  if (is_checkpoint_(latest)) return latest;
  auto all = checkpoints(folder);
  while (!all.empty() && !is_checkpoint_(all.back())) all.pop_back();
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

void RunFolder::save(int64_t step, int keep,
                     const std::function<void(const fs::path&)>& write) const {
  const fs::path folder = path_ / "checkpoints";
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".tmp") fs::remove_all(entry.path());  // of a killed run
  const std::string name = fmt::format("step_{:08}", step);
  write(folder / name);
  const fs::path link = folder / "latest.tmp";
  fs::create_directory_symlink(name, link);
  fs::rename(link, folder / "latest");

  const auto all = checkpoints(folder);
  for (size_t i = 0; i + size_t(keep) < all.size(); ++i)
    if (all[i].filename() != name) fs::remove_all(all[i]);
}

void check_identity(const Json& state, const Json& identity, const fs::path& checkpoint) {
  for (const auto& [name, value] : identity.items()) {
    const Json was = state.contains("identity") ? state["identity"].value(name, Json()) : Json();
    check(was == value,
          "{}: this checkpoint was made with {} = {}, now it is {}; a resumed run needs the same",
          checkpoint.string(), name, was.dump(), value.dump());
  }
}

}  // namespace laclip

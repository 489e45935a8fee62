// laclip demo: the paper's effect in a small world, from nothing to a report.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/command.h"
#include "apps/demo/plan.h"
#include "apps/demo/rewriter.h"
#include "apps/demo/steps.h"
#include "apps/report/comparison.h"
#include "base/atomic_folder.h"
#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "kernels/core/cpu_level.h"
#include "kernels/core/cuda_runtime.h"

namespace laclip {
namespace {

// Models and tokenizers are opened by their paths: what the program brings along becomes a folder.
void write_rewriter(const fs::path& folder) {
  const bool there = std::all_of(kRewriter.begin(), kRewriter.end(), [&](const auto& file) {
    const fs::path path = folder / file.first;
    return fs::exists(path) && read_text(path) == file.second;
  });
  if (there) return;
  AtomicFolder files(folder);
  for (const auto& [name, bytes] : kRewriter) write_atomically(files / fs::path(name), bytes);
  files.commit();
}

// The main measures of all arms, as a table for a terminal that Markdown reads, too.
std::string result_table(const Comparison& comparison) {
  std::vector<std::vector<std::string>> table = {{"run"}};
  std::vector<size_t> columns;
  for (size_t c = 0; c < comparison.columns.size(); ++c)
    if (comparison.columns[c].headline) {
      columns.push_back(c);
      table[0].push_back(comparison.columns[c].data + " " + comparison.columns[c].label);
    }
  for (size_t r = 0; r < comparison.rows.size(); ++r) {
    auto& line = table.emplace_back(1, comparison.rows[r].name);
    for (const size_t c : columns) {
      const auto& cell = comparison.cells[r][c];
      const Column& column = comparison.columns[c];
      line.push_back(!cell ? "-"
                     : cell->n > 1
                         ? column.format(cell->mean) + " ± " + column.format(cell->deviation)
                         : column.format(cell->mean));
    }
  }
  std::string text;
  for (size_t i = 0; i < table.size(); ++i) {
    text += fmt::format("| {} |\n", fmt::join(table[i], " | "));
    if (i > 0) continue;
    for (size_t c = 0; c < table[i].size(); ++c) text += "|---";
    text += "|\n";
  }
  return text;
}

void tell_results(const DemoSettings& settings, const fs::path& journal) {
  std::vector<RunData> runs;
  std::vector<std::string> arms;
  for (const auto& [folder, arm] : demo_runs(settings)) {
    runs.push_back(read_run(folder));
    arms.push_back(arm);
  }
  fmt::print("\n{}\n", result_table(compare_runs(runs, arms)));
  double seconds = 0;
  int64_t peak = 0;
  for (const Json& step : read_json(journal)) {
    seconds += json_field<double>(step, "seconds", journal.string());
    peak = std::max(peak, json_field<int64_t>(step, "peak_mib", journal.string()));
  }
  fmt::print("{} of work, at most {} MiB of memory; the report: {}\n", format_duration(seconds),
             peak, (settings.folder / "report.html").string());
}

// What all steps of a folder share. Seeds and arms may grow.
Json shared_settings(const DemoSettings& s) {
  return {{"images", s.images},
          {"test_images", s.test_images},
          {"epochs", s.epochs},
          {"example_sets", s.example_sets},
          {"precision", s.precision}};
}

void check_settings(const DemoSettings& settings) {
  const fs::path file = settings.folder / "demo.json";
  const Json wanted = shared_settings(settings);
  if (!fs::exists(file)) return write_atomically(file, wanted.dump(2) + "\n");
  const Json there = read_json(file);
  for (const auto& [name, value] : wanted.items()) {
    const Json was = there.is_object() ? there.value(name, Json()) : Json();
    check(was == value,
          "{}: the demo in this folder was begun with {} = {}, now it is {}; choose another "
          "--output, or the same settings",
          file.string(), name, was.dump(), value.dump());
  }
}

void demo(const DemoSettings& settings) {
  check(settings.folder.string().find_first_of("{}") == std::string::npos &&
            settings.folder.string().find("::") == std::string::npos,
        "--output {}: braces and '::' have a meaning in lists of shards; choose another name",
        settings.folder.string());
  make_folders(settings.folder);
  const AppendFile lock(settings.folder / ".lock");
  check_settings(settings);
  write_rewriter(settings.folder / "rewriter");
  const fs::path journal = settings.folder / "timings.json";
  run_steps(demo_plan(settings), journal);
  tell_results(settings, journal);
}

// bf16 is faster where the processor computes in it, and slower where it is widened.
std::string fast_precision() {
  return cuda_is_a_gpu() || cpu_level() >= CpuLevel::avx512_bf16 ? "bf16" : "fp32";
}

}  // namespace

void add_demo_command(Program& program) {
  Command command =
      program.add_command("demo",
                          "the paper's effect in a small world: draws it, rewrites its "
                          "captions, trains CLIP and LaCLIP, compares them in a report");
  struct Options : DemoSettings {
    bool quick = false;  // with all_arms, "full": these choose the sizes that are not given
  };
  auto o = std::make_shared<Options>();
  command.add_option("-o,--output", o->folder,
                     "folder; the same command goes on with what is in it");
  const Option quick =
      command.add_flag("--quick", o->quick, "smaller: a first look, in three minutes on two cores");
  command
      .add_flag("--full", o->all_arms,
                "the table of docs/experiment.md: three seeds, 0 to 4 rewrites, EDA, "
                "temperature, share of originals")
      .excludes(quick);
  command.add_option("--images", o->images, "training images").check(kPositive);
  command.add_option("--test-images", o->test_images, "held-out images").check(kPositive);
  command.add_option("--epochs", o->epochs, "of each training").check(kPositive);
  command.add_option("--seeds", o->seeds, "trainings of each kind").check(kPositive);
  o->precision = "auto";
  command.add_option("--precision", o->precision, "auto: bf16 where the device computes in it")
      .among({"auto", "fp32", "bf16"});
  command.callback([o, command] {
    const auto choose = [&](const char* flag, auto& value, auto in_quick, auto in_full) {
      if (command.count(flag) > 0) return;
      if (o->quick) value = in_quick;
      if (o->all_arms) value = in_full;
    };
    choose("--images", o->images, 2400, 8000);
    choose("--test-images", o->test_images, 1000, 2000);
    choose("--epochs", o->epochs, 10, 20);
    choose("--seeds", o->seeds, 1, 3);
    if (o->precision == "auto") o->precision = fast_precision();
    demo(*o);
  });
}

}  // namespace laclip

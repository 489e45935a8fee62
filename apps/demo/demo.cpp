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
  for (const fs::path& run : demo_runs(settings)) runs.push_back(read_run(run));
  fmt::print("\n{}\n", result_table(compare_runs(runs, {})));
  double seconds = 0;
  int64_t peak = 0;
  for (const Json& step : read_json(journal)) {
    seconds += step.at("seconds").get<double>();
    peak = std::max(peak, step.at("peak_mib").get<int64_t>());
  }
  fmt::print("{} of work, at most {} MiB of memory; the report: {}\n", format_duration(seconds),
             peak, (settings.folder / "report.html").string());
}

void demo(const DemoSettings& settings) {
  make_folders(settings.folder);
  write_rewriter(settings.folder / "rewriter");
  const fs::path journal = settings.folder / "timings.json";
  run_steps(demo_plan(settings), journal);
  tell_results(settings, journal);
}

}  // namespace

void add_demo_command(CLI::App& root) {
  CLI::App* command = add_command(root, "demo",
                                  "the paper's effect in a small world: draws it, rewrites its "
                                  "captions, trains CLIP and LaCLIP, compares them in a report");
  struct Options : DemoSettings {
    bool quick = false;  // with all_arms, "full": these choose the sizes that are not given
  };
  auto o = std::make_shared<Options>();
  command->add_option("-o,--output", o->folder,
                      "folder; the same command goes on with what is in it");
  CLI::Option* quick =
      command->add_flag("--quick", o->quick, "smaller: a first look in about two minutes");
  command
      ->add_flag("--full", o->all_arms,
                 "the table of docs/experiment.md: three seeds, 0 to 4 rewrites, EDA, "
                 "temperature, share of originals")
      ->excludes(quick);
  command->add_option("--images", o->images, "training images")->check(CLI::PositiveNumber);
  command->add_option("--test-images", o->test_images, "held-out images")
      ->check(CLI::PositiveNumber);
  command->add_option("--epochs", o->epochs, "of each training")->check(CLI::PositiveNumber);
  command->add_option("--seeds", o->seeds, "trainings of each kind")->check(CLI::PositiveNumber);
  command->callback([o, command] {
    const auto choose = [&](const char* flag, auto& value, auto in_quick, auto in_full) {
      if (command->count(flag) > 0) return;
      if (o->quick) value = in_quick;
      if (o->all_arms) value = in_full;
    };
    choose("--images", o->images, 2000, 8000);
    choose("--test-images", o->test_images, 500, 2000);
    choose("--epochs", o->epochs, 8, o->epochs);
    choose("--seeds", o->seeds, 1, 3);
    if (__builtin_cpu_supports("avx512bf16")) o->precision = "bf16";  // twice as fast there
    demo(*o);
  });
}

}  // namespace laclip

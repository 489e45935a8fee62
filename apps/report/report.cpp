// laclip report: one self-contained HTML page about any number of runs, side by side.
#include <fmt/core.h>

#include <map>
#include <memory>

#include "apps/command.h"
#include "apps/manifest.h"
#include "apps/report/sections.h"
#include "base/check.h"
#include "base/log.h"

namespace laclip {
namespace {

std::vector<RunData> read_runs(const std::vector<std::string>& folders) {
  std::vector<RunData> runs;
  std::map<std::string, int> names;
  for (const std::string& folder : folders) ++names[runs.emplace_back(read_run(folder)).name];
  for (RunData& run : runs)  // two folders of one name: told apart by their paths
    if (names[run.name] > 1) run.name = run.folder.string();
  return runs;
}

std::string default_title(const Comparison& comparison) {
  const auto& rows = comparison.rows;
  if (rows.size() == 1) return rows[0].name;
  if (rows.size() == 2) return rows[0].name + " and " + rows[1].name;
  return fmt::format("{} and {} others", rows[0].name, rows.size() - 1);
}

std::string page(const ReportOptions& o) {
  const auto runs = read_runs(o.runs);
  const Comparison comparison = compare_runs(runs, o.groups);
  const std::string title = o.title.empty() ? default_title(comparison) : o.title;
  Html html;
  html.raw("<!DOCTYPE html>\n");
  html.nest("html", {{"lang", "en"}}, [&] {
    html.nest("head", {}, [&] {
      html.empty("meta", {{"charset", "utf-8"}});
      html.empty("meta",
                 {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
      html.empty("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
      html.element("title", title);
      html.nest("style", {}, [&] { html.raw(style_sheet()); });
    });
    html.nest("body", {}, [&] {
      html.nest("header", {}, [&] {
        html.element("h1", title);
        html.element("p", summary(comparison), {{"class", "summary"}});
      });
      html.nest("main", {}, [&] {
        results_section(html, runs, comparison);
        curves_section(html, comparison);
        captions_section(html, o);
        queries_section(html, runs, o);
        predictions_section(html, runs.back(), o);
        timings_section(html, o.timings);
        manifests_section(html, runs);
      });
      html.element("footer", "Made by " + version_text() + ".");
    });
  });
  return html.str();
}

void report(const ReportOptions& o) {
  if (!o.groups.empty() && o.groups.size() != o.runs.size())
    fail_usage("--group needs a name for each run: {} for {} runs", o.groups.size(), o.runs.size());
  write_atomically(o.output, page(o));
  log_info("{}", o.output);
}

}  // namespace

void add_report_command(Program& program) {
  Command command = program.add_command("report", "one HTML page about runs, side by side");
  auto o = std::make_shared<ReportOptions>();
  command.add_option("runs,--runs", o->runs, "run folders of laclip train, the baseline first")
      .required();
  command.add_option("-o,--output", o->output, "the page");
  command.add_option("--title", o->title, "its heading; default: the names of the runs");
  command.add_option("--group", o->groups,
                     "a name for each run; runs of one name are averaged. Default: the name of the "
                     "folder without -seedN");
  command.add_option("--rewrites", o->rewrites, "show rewrites: outputs of laclip rewrite (JSONL)");
  command.add_option("--train-data", o->train_data, "the images of --rewrites");
  command.add_option("--root", o->source.root, "where the image paths of --train-data start");
  command.add_option("--dataset-type", o->source.type, "auto, webdataset, csv or laclip-csv");
  command.add_option("--csv-separator", o->source.csv_separator, "of --train-data");
  command.add_option("--csv-img-key", o->source.csv_image_key, "column of --train-data");
  command.add_option("--csv-caption-key", o->source.csv_caption_key, "column of --train-data");
  command.add_option("--samples", o->samples, "captions to show").check(kPositive);
  command.add_option("--query", o->queries, "texts: show the nearest images of --pairs");
  command.add_option("--queries", o->query_file, "a file of such texts, one a line");
  command.add_option("--pairs", o->pairs, "image-text pairs (JSONL) with the images");
  command.add_option("--images", o->images, "class folders: show best and worst predictions");
  command.add_option("--classnames", o->classnames, "class names of --images (JSON)");
  command.add_option("--templates", o->templates, "prompt templates of --images (JSON)");
  command.add_option("--limit", o->limit, "classify so many images, spread evenly (0 = all)")
      .check(kNotNegative);
  command.add_option("--tokenizer", o->tokenizer, "CLIP vocabulary of the runs");
  command.add_option("--precision", o->precision, "fp32 or bf16").among({"fp32", "bf16"});
  command.add_option("--timings", o->timings,
                     "where the time went: JSON list of {\"stage\", \"seconds\", \"command\"}");
  command.add_option("-j,--workers", o->threads, "threads that decode images").within(1, 1024);
  command.callback([o] { report(*o); });
}

}  // namespace laclip

// laclip evaluate: zero-shot classification and retrieval of a checkpoint.
#include <fmt/core.h>

#include <memory>

#include "apps/command.h"
#include "apps/evaluate/evaluation.h"
#include "apps/models.h"
#include "base/check.h"
#include "models/clip_checkpoint.h"

namespace laclip {
namespace {

struct EvaluateOptions {
  std::string checkpoint, tokenizer, precision = "auto", device = "auto", output;
  EvaluationSets sets;
  std::vector<std::string> tasks;
  int threads = 2;
};

// The sets to evaluate on, with their names in the result: each has either images or pairs.
std::vector<std::pair<std::string, EvaluationSets>> wanted_sets(const EvaluateOptions& o) {
  std::vector<std::pair<std::string, EvaluationSets>> all;
  const auto add = [&](const std::string& name) -> EvaluationSets& {
    EvaluationSets& set = all.emplace_back(name, o.sets).second;
    set.images = set.classnames = set.templates = set.pairs = "";
    return set;
  };
  for (const std::string& task : o.tasks) {
    const fs::path folder = task, templates = folder / "templates.json";
    check(fs::is_directory(folder / "images") && fs::exists(folder / "classnames.json"),
          "--tasks {}: images/ and classnames.json are needed in it", task);
    EvaluationSets& set = add(task);
    set.images = folder / "images";
    set.classnames = folder / "classnames.json";
    if (fs::exists(templates)) set.templates = templates;
  }
  if (!o.sets.images.empty()) {
    EvaluationSets& set = add(o.sets.images);
    set = o.sets;
    set.pairs = "";
  }
  if (!o.sets.pairs.empty()) add(o.sets.pairs).pairs = o.sets.pairs;
  return all;
}

void evaluate(const EvaluateOptions& o) {
  if (!o.sets.images.empty() && o.sets.classnames.empty())
    fail_usage("--images needs --classnames");
  if (o.sets.images.empty() && !(o.sets.classnames.empty() && o.sets.templates.empty()))
    fail_usage("--classnames and --templates belong to --images, which is not given");
  const auto sets = wanted_sets(o);
  for (const auto& [name, set] : sets) check_sets(set);
  if (sets.empty())
    fail_usage("nothing to evaluate: give --images with --classnames, --tasks, or --pairs");
  const auto tokenizer = open_clip_tokenizer(o.tokenizer);
  const Device device = parse_device(o.device);
  const DType type = parse_precision(settled_precision(o.precision, device));
  const auto model = load_clip(o.checkpoint, type, device);
  check_vocabulary(*model, *tokenizer, o.tokenizer);
  std::string lines;  // one for each set, in CLIP_benchmark's form
  for (const auto& [name, set] : sets) {
    const Json metrics = evaluate_model(*model, *tokenizer, set, o.threads);
    for (const auto& [task, values] : metrics.items())
      lines += Json{{"dataset", name}, {"model", o.checkpoint}, {"pretrained", o.checkpoint},
                    {"task", task},    {"metrics", values},     {"language", "en"}}
                   .dump() +
               "\n";
  }
  fmt::print("{}", lines);
  if (!o.output.empty()) write_atomically(o.output, lines);
}

}  // namespace

void add_evaluate_command(Program& program) {
  Command command =
      program.add_command("evaluate", "zero-shot classification and retrieval of a checkpoint");
  auto o = std::make_shared<EvaluateOptions>();
  command.add_option("--checkpoint,--ckpt-path", o->checkpoint, "checkpoint folder").required();
  command.add_option("--tokenizer", o->tokenizer, "CLIP vocabulary that the model was trained with")
      .required();
  command.add_option("--images,--imagenet-root", o->sets.images, "class folders of images");
  command.add_option("--classnames", o->sets.classnames,
                     "class names (JSON list, or object by folder)");
  command.add_option("--templates", o->sets.templates,
                     "prompt templates (JSON list); default: a photo of a {}.");
  command
      .add_option("--tasks", o->tasks,
                  "folders that hold images/, classnames.json and perhaps templates.json each")
      .type_name("DIR");
  command.add_option("--pairs", o->sets.pairs, "image-text pairs (JSONL) for retrieval");
  command.add_option("--limit", o->sets.limit, "classify so many images, spread evenly (0 = all)")
      .check(kNotNegative);
  command.add_flag("--strict", o->sets.strict, "stop at the first broken image");
  command.add_option("-j,--workers", o->threads, "threads that decode images").within(1, 1024);
  add_precision_option(command, o->precision);
  add_device_option(command, o->device);
  command.add_option("-o,--output", o->output, "also write the result to this file");
  command.callback([o] { evaluate(*o); });
}

}  // namespace laclip

// laclip rewrite: new captions from old ones, by in-context learning.
#include <fmt/core.h>

#include <memory>

#include "apps/command.h"
#include "apps/manifest.h"
#include "apps/rewrite/rewrite_job.h"
#include "base/check.h"
#include "base/log.h"

namespace laclip {
namespace {

void print_prompts(const RewriteOptions& o, const CaptionTable& table, ShardRange range) {
  const RewriteMode mode = parse_rewrite_mode(o.mode);
  const ExampleBank bank =
      o.pairs.empty() ? ExampleBank::built_in(mode) : ExampleBank::from_file(o.pairs, mode);
  for (size_t i = range.begin; i < range.end; ++i) {
    const auto draw = draw_examples(bank, o.seed, example_set(o.seed, o.example_sets, i));
    fmt::print("{}{}\n", prompt_prefix(pairs_of(bank, draw)),
               prompt_query(clean_caption(std::string(table.captions[i])).text));
  }
}

void rewrite(const RewriteOptions& o, const Command& command) {
  CaptionTable table = read_captions(o.captions, o.table);
  ShardRange range = shard_range(table.captions.size(), o.shard);
  if (o.limit > 0) range.end = std::min(range.end, range.begin + o.limit);
  if (o.print_prompts) return print_prompts(o, table, range);
  for (const auto& [flag, value] :
       {std::pair{"--model", o.model}, {"--tokenizer", o.tokenizer}, {"--output", o.output}})
    if (value.empty()) fail_usage("{} is missing; see laclip rewrite --help", flag);
  RewriteJob job(o, std::move(table), range);
  if (!job.finished()) {
    command.settle("--batch-size", std::to_string(job.slots()));
    const fs::path base = o.output;
    write_manifest(base.has_parent_path() ? base.parent_path() : ".", command, job.settings(),
                   base.filename().string() + ".");
  }
  job.run();
  std::string summary;
  for (const auto& [what, count] : job.tally())
    summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", count, what);
  if (!summary.empty()) log_info("{}.jsonl, {}.txt: {}", o.output, o.output, summary);
}

}  // namespace

void add_rewrite_command(Program& program) {
  Command command = program.add_command("rewrite", "rewrite captions with a LLaMA model");
  auto o = std::make_shared<RewriteOptions>();
  command.add_option("-m,--model,--ckpt_dir", o->model, "Hugging Face folder or llama2.c file");
  command.add_option("--tokenizer,--tokenizer_path", o->tokenizer,
                     "tokenizer.model or tokenizer.bin");
  command
      .add_option("--captions,--prompt_filename", o->captions,
                  "captions: text lines, or what `laclip train --train-data` reads: LaCLIP CSV, "
                  "open_clip CSV/TSV, tar shards")
      .required();
  command.add_option("-o,--output,--output_filename", o->output,
                     "writes OUTPUT.jsonl and OUTPUT.txt");
  command.add_option("--mode,--sample_mode", o->mode,
                     "manner of the examples: chatgpt, bard, coco or human");
  command.add_option("--pairs", o->pairs, "own examples (JSON) instead of the built-in ones");
  command
      .add_option(
          "--example-sets", o->example_sets,
          "draw so many sets of examples, shared by the captions (0: anew for each caption)")
      .check(kNotNegative);
  command.add_option("--temperature", o->temperature, "of the sampling").check(kNotNegative);
  command.add_option("--top-p,--top_p", o->top_p, "nucleus").within(1e-6, 1.0);
  command.add_option("--max-new-tokens", o->max_new_tokens, "tokens of a rewrite at most")
      .check(kPositive);
  command.add_option("--max-seq-len,--max_seq_len", o->max_seq_len, "tokens of prompt and rewrite")
      .check(kPositive);
  command
      .add_option("-b,--batch-size,--max_batch_size", o->batch_size,
                  "captions at once; auto: 256 on a GPU, 64 on a CPU")
      .auto_or_within(1, 1 << 28);
  command.add_option("--seed", o->seed, "of examples and sampling").check(kNotNegative);
  command.add_option("--shard", o->shard, "part i of n of the captions, as i/n");
  command.add_option("--limit", o->limit, "stop after so many captions (0 = all)")
      .check(kNotNegative);
  command.add_option("--caption-column", o->table.column,
                     "of a table without images, columns between tabs: the column of the caption, "
                     "by number (no header) or name");
  command.add_option("--dataset-type", o->table.source.type, "form of a table or shards")
      .among({"auto", "webdataset", "csv", "laclip-csv"});
  command.add_flag("--strict", o->table.source.strict, "stop at the first broken sample");
  command.add_option("--csv-separator", o->table.source.csv_separator,
                     "column separator of an open_clip table");
  command.add_option("--csv-img-key", o->table.source.csv_image_key, "column of the image path");
  command.add_option("--csv-caption-key", o->table.source.csv_caption_key, "column of the caption");
  command.add_option("--image-key", o->table.source.image_key, "endings of images in shards");
  command.add_option("--text-key", o->table.source.text_key, "endings of captions in shards");
  command.add_option("--precision", o->precision, "fp32 or bf16").among({"fp32", "bf16"});
  add_device_option(command, o->device);
  command.add_flag("--print-prompts", o->print_prompts, "print the prompts and stop");
  command.add_flag("--profile", o->profile, "tell the time of each op");
  command.callback([o, command] { rewrite(*o, command); });
}

}  // namespace laclip

// laclip rewrite: new captions from old ones, by in-context learning.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>

#include "apps/command.h"
#include "apps/manifest.h"
#include "apps/models.h"
#include "apps/rewrite/prompt_plan.h"
#include "base/check.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "data/caption_table.h"
#include "data/rewrite_log.h"
#include "models/llama_generator.h"

namespace laclip {
namespace {

struct RewriteOptions {
  std::string model, tokenizer, captions, output, mode = "chatgpt", pairs, shard = "1/1";
  CaptionTableOptions table;
  std::string precision = "bf16", device = "auto";
  uint64_t example_sets = 0, seed = 0;
  float temperature = 0.9f, top_p = 0.95f;
  int max_new_tokens = 77, max_seq_len = 512, slots = 64;
  size_t limit = 0;
  bool print_prompts = false;
};

class RewriteJob {
 public:
  // Everything is opened and checked before the log: what cannot work leaves no file behind.
  RewriteJob(const RewriteOptions& o, CaptionTable table, ShardRange range)
      : o_(o),
        table_(std::move(table)),
        range_(range),
        mode_(parse_rewrite_mode(o.mode)),
        llama_(open_llama(o.model, o.tokenizer, o.precision, o.device)),
        plan_(o.pairs.empty() ? ExampleBank::built_in(mode_)
                              : ExampleBank::from_file(o.pairs, mode_),
              *llama_.tokenizer, o.seed, o.example_sets),
        generator_options_(generator_options()),
        generator_(*llama_.model, generator_options_),
        log_(o.output, settings(), range.begin, range.end),
        progress_("rewriting", "captions", int64_t(range.end - range.begin),
                  int64_t(log_.count())) {}

  void run();
  const auto& tally() const { return log_.tally(); }
  bool finished() const { return log_.finished(); }
  Json settings() const;

 private:
  GeneratorOptions generator_options() const;
  std::optional<GenerationRequest> next();
  void write(const Generation& result);
  void keep_original(size_t index, const std::string& flag);
  void add_record(size_t index, std::string text, int64_t tokens, double log_probability,
                  Json flags);

  const RewriteOptions& o_;
  CaptionTable table_;
  ShardRange range_;
  RewriteMode mode_;
  LlamaAndTokenizer llama_;
  PromptPlan plan_;
  GeneratorOptions generator_options_;
  LlamaGenerator generator_;
  RewriteLog log_;
  Progress progress_;
  std::vector<size_t> order_;  // captions by example set
  size_t at_ = 0;
  int prefix_ = -1;
  uint64_t prefix_set_ = 0;
  std::map<size_t, std::vector<int32_t>> queries_;  // of the captions under way
};

// All that decides the output; a resumed job must agree with it.
Json RewriteJob::settings() const {
  return {{"mode", name_of(mode_)},
          {"seed", o_.seed},
          {"temperature", o_.temperature},
          {"top_p", o_.top_p},
          {"max_new_tokens", o_.max_new_tokens},
          {"max_seq_len", o_.max_seq_len},
          {"example_sets", o_.example_sets},
          {"precision", o_.precision},
          {"model_digest", fmt::format("{:016x}", digest_of(llama_.model->parameters()))},
          {"tokenizer_digest", fmt::format("{:016x}", digest_of(fs::path(o_.tokenizer)))},
          {"examples_digest", fmt::format("{:016x}", plan_.digest())},
          {"captions_digest", fmt::format("{:016x}", table_.digest())},
          {"captions", {range_.begin, range_.end}}};
}

GeneratorOptions RewriteJob::generator_options() const {
  const int length = int(std::min<int64_t>(o_.max_seq_len, llama_.model->config().max_length));
  GeneratorOptions options;
  options.slots = o_.slots;
  options.max_rows = std::max(o_.slots, 512);
  options.max_prefix_tokens = int(plan_.longest_prefix());
  options.max_own_tokens = length - options.max_prefix_tokens;
  options.max_new_tokens = o_.max_new_tokens;
  options.temperature = o_.temperature;
  options.top_p = o_.top_p;
  options.seed = o_.seed;
  check(options.max_own_tokens > o_.max_new_tokens,
        "the examples take up to {} tokens and a rewrite {}, "
        "which leaves nothing of {} for a caption; use shorter examples (--pairs), a smaller "
        "--max-new-tokens, or a larger --max-seq-len if the model allows it",
        options.max_prefix_tokens, o_.max_new_tokens, length);
  options.stop_tokens = llama_.end_tokens();
  const auto newline = llama_.tokenizer->tokens_with_newline();
  for (size_t id = 0; id < newline.size(); ++id)
    if (newline[id]) options.stop_tokens[id] = true;
  return options;
}

void RewriteJob::run() {
  if (log_.finished()) {
    log_info("{}.jsonl: finished before, nothing to do", o_.output);
    return;
  }
  order_.resize(range_.end - range_.begin);
  std::iota(order_.begin(), order_.end(), range_.begin);
  if (o_.example_sets > 0) {
    std::map<uint64_t, std::vector<size_t>> sets;
    for (size_t i : order_) sets[plan_.set_of(i)].push_back(i);
    order_.clear();
    for (const auto& [set, members] : sets)
      order_.insert(order_.end(), members.begin(), members.end());
  }
  const CatchInterrupts scope;
  generator_.run([&] { return next(); },
                 [&](Generation result) {
                   write(result);
                   return !interrupted();
                 });
  if (interrupted()) {
    progress_.finish();
    fail("stopped after {} of {} captions; the same command goes on from there", log_.count(),
         range_.end - range_.begin);
  }
  log_.finish();
  progress_.finish();
}

std::optional<GenerationRequest> RewriteJob::next() {
  for (; at_ < order_.size(); ++at_) {
    const size_t index = order_[at_];
    if (log_.has(index)) continue;
    const CleanCaption clean = clean_caption(std::string(table_.captions[index]));
    if (clean.text.empty()) {
      keep_original(index, "empty");
      continue;
    }
    auto query = plan_.query_tokens(clean.text);
    const int room = generator_options_.max_own_tokens - o_.max_new_tokens;
    if (int(query.size()) > room) {
      keep_original(index, "too_long");
      continue;
    }
    const uint64_t set = plan_.set_of(index);
    if (prefix_ < 0 || set != prefix_set_) {
      if (prefix_ >= 0) generator_.drop_prefix(prefix_);
      prefix_ = generator_.add_prefix(plan_.prefix_tokens(set));
      prefix_set_ = set;
    }
    queries_[index] = query;
    ++at_;
    return GenerationRequest{index, prefix_, std::move(query)};
  }
  if (prefix_ >= 0) generator_.drop_prefix(prefix_);
  prefix_ = -1;
  return std::nullopt;
}

void RewriteJob::write(const Generation& result) {
  const size_t index = result.key;
  const CleanCaption clean = clean_caption(std::string(table_.captions[index]));
  std::string text =
      clean_rewrite(llama_.tokenizer->decode_continuation(queries_[index], result.tokens));
  queries_.erase(index);
  Json flags = Json::array();
  if (clean.had_newline) flags.push_back("newline_in_caption");
  if (clean.had_arrow) flags.push_back("arrow_in_caption");
  if (result.finish == Generation::Finish::length) flags.push_back("cut_at_limit");
  if (const size_t arrow = text.find("=>"); arrow != std::string::npos) {
    text = clean_rewrite(text.substr(0, arrow));  // the model began another pair
    flags.push_back("arrow_in_rewrite");
  }
  if (text.empty()) {
    flags.push_back("no_text");
    text = clean.text;
  }
  const auto steps =
      double(result.tokens.size()) + (result.finish == Generation::Finish::stop ? 1 : 0);
  add_record(index, text, int64_t(result.tokens.size()),
             result.log_probability / std::max(steps, 1.0), std::move(flags));
}

// A caption that no prompt can be made of stands for itself.
void RewriteJob::keep_original(size_t index, const std::string& flag) {
  add_record(index, clean_caption(std::string(table_.captions[index])).text, 0, 0, {flag});
}

void RewriteJob::add_record(size_t index, std::string text, int64_t tokens, double log_probability,
                            Json flags) {
  Json examples = Json::array();
  for (const auto& [item, source, target] : plan_.draw(plan_.set_of(index)).examples)
    examples.push_back({item, source, target});
  log_.add({{"index", index},
            {"key", table_.keys[index]},
            {"mode", name_of(mode_)},
            {"original", table_.captions[index]},
            {"text", std::move(text)},
            {"examples", std::move(examples)},
            {"seed", o_.seed},
            {"tokens", tokens},
            {"logprob", log_probability},
            {"flags", std::move(flags)}});
  progress_.update(int64_t(log_.count()));
}

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
  command.add_option("-b,--batch-size,--max_batch_size", o->slots, "captions at once")
      .check(kPositive);
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
  command.callback([o, command] { rewrite(*o, command); });
}

}  // namespace laclip

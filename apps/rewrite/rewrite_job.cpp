#include "apps/rewrite/rewrite_job.h"

#include <fmt/core.h>

#include <algorithm>

#include "apps/rewrite/generator_fit.h"
#include "base/check.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/timer.h"
#include "kernels/core/cuda_runtime.h"

namespace laclip {

void check_generator_memory(int64_t bytes, int64_t free, const GeneratorOptions& options) {
  check(bytes <= free,
        "{} captions at once take {} beside the weights, and {} are free; use a smaller "
        "--batch-size",
        options.slots, format_bytes(double(bytes)), format_bytes(double(free)));
}

RewriteJob::RewriteJob(const RewriteOptions& o, CaptionTable table, ShardRange range)
    : o_(o),
      table_(std::move(table)),
      range_(range),
      mode_(parse_rewrite_mode(o.mode)),
      llama_(open_llama(o.model, o.tokenizer, o.precision, o.device)),
      plan_(o.pairs.empty() ? ExampleBank::built_in(mode_) : ExampleBank::from_file(o.pairs, mode_),
            *llama_.tokenizer, o.seed, o.example_sets),
      order_(plan_, range),
      generator_options_(generator_options()),
      generator_(*llama_.model, generator_options_),
      settings_(make_settings()),
      log_(o.output, settings_, range.begin, range.end),
      progress_("rewriting", "captions", int64_t(range.end - range.begin), int64_t(log_.count())) {}

Json RewriteJob::make_settings() const {
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
  const int usual = llama_.model->device() == Device::cuda ? 256 : 64;
  options.slots = o_.batch_size == "auto" ? usual : std::stoi(o_.batch_size);
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
  options.usual_own_tokens = std::min(usual_query() + o_.max_new_tokens, options.max_own_tokens);
  fit_memory(options);
  return options;
}

// The tokens that 19 of 20 captions do not exceed, of some that are spread evenly.
int RewriteJob::usual_query() const {
  constexpr size_t kMost = 256;
  const size_t count = range_.end - range_.begin, samples = std::min(count, kMost);
  std::vector<size_t> tokens;
  for (size_t i = 0; i < samples; ++i) {
    const size_t index = range_.begin + i * count / samples;
    const CleanCaption clean = clean_caption(std::string(table_.captions[index]));
    tokens.push_back(plan_.query_tokens(clean.text).size());
  }
  std::sort(tokens.begin(), tokens.end());
  return tokens.empty() ? 1 : int(tokens[tokens.size() - 1 - tokens.size() / 20]);
}

void RewriteJob::fit_memory(GeneratorOptions& options) const {
  const Llama& model = *llama_.model;
  const int64_t free =
      usable_memory(free_memory(model.device()), model.device() == Device::cuda && cuda_is_a_gpu());
  const auto pool = [&](const GeneratorOptions& o) {
    return KvPool::bytes(model.config(), LlamaGenerator::pool_tokens(o), model.dtype());
  };
  using Slots = GeneratorFit::Slots;
  fit_generator(options,
                {free, [&](size_t captions) { return order_.most_triples(captions); }, pool,
                 [&](const GeneratorOptions& o) {
                   return LlamaGenerator::memory(model, o).total();
                 },
                 o_.batch_size == "auto" ? Slots::fewer : Slots::as_given});
  // Before the rest, which is planned row by row.
  check_generator_memory(pool(options), free, options);
  const GeneratorMemory memory = LlamaGenerator::memory(model, options);
  check_generator_memory(memory.total(), free, options);
  int64_t weights = 0;
  for (const Parameter& p : model.parameters().list()) weights += p.value.bytes();
  log_info(
      "memory: weights {}, packed {}, keys and values {} ({} slots, {} prefixes), activations {}",
      format_bytes(double(weights)), format_bytes(double(memory.packed_weights)),
      format_bytes(double(memory.pool)), options.slots, options.prefixes,
      format_bytes(double(memory.activations + memory.logits)));
}

void RewriteJob::run() {
  if (log_.finished()) {
    log_info("{}.jsonl: finished before, nothing to do", o_.output);
    return;
  }
  log_info("{} captions with {} triples of examples", order_.size(), order_.triples());
  if (o_.profile) generator_.stream().profile = &profile_;
  const Timer timer;
  const CatchInterrupts scope;
  generator_.run([&] { return next(); },
                 [&](Generation result) {
                   write(result);
                   return !interrupted();
                 });
  if (interrupted() && log_.count() < range_.end - range_.begin) {
    progress_.finish();
    fail("stopped after {} of {} captions; run the same command to resume", log_.count(),
         range_.end - range_.begin);
  }
  log_.finish();
  progress_.finish();
  log_info("{} prefixes computed, {} forward calls", generator_.prefixes_computed(),
           generator_.forward_calls());
  if (o_.profile) tell_profile(timer.seconds());
}

void RewriteJob::tell_profile(double seconds) const {
  double rest = seconds;
  const auto tell = [&](const std::string& name, int64_t calls, double taken) {
    log_info("{:28} {:8} calls {:9.2f} s {:5.1f} %", name, calls, taken, 100 * taken / seconds);
  };
  for (const auto& [name, entry] : profile_.ops) {
    tell(name, entry.calls, entry.seconds);
    rest -= entry.seconds;
  }
  tell("outside of ops", 1, rest);
}

std::optional<GenerationRequest> RewriteJob::next() {
  for (; at_ < order_.size(); ++at_) {
    const size_t index = order_.caption(at_);
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
    const PromptPlan::Triple& triple = order_.triple(at_);
    if (prefix_ < 0 || triple != triple_) {
      if (prefix_ >= 0) generator_.drop_prefix(prefix_);
      prefix_ = generator_.add_prefix(plan_.prefix_tokens(index));
      triple_ = triple;
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
  for (const auto& [item, source, target] : plan_.draw(index).examples)
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

}  // namespace laclip

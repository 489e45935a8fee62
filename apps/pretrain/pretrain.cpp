// laclip pretrain: trains a LLaMA on documents, from nothing or from given weights.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "apps/command.h"
#include "apps/manifest.h"
#include "apps/models.h"
#include "apps/pretrain/documents.h"
#include "apps/train/run_folder.h"
#include "apps/train/training_loop.h"
#include "base/check.h"
#include "base/log.h"
#include "base/progress.h"
#include "models/llama_checkpoint.h"
#include "models/llama_import.h"

namespace laclip {
namespace {

struct PretrainOptions {
  std::string train_data, val_data, tokenizer, model, pretrained;
  std::string precision = "bf16", device = "auto", lr_scheduler = "cosine";
  std::string logs = "logs", name = "pretrain", resume;
  int64_t steps = 1000, batch_tokens = 4096, accum_freq = 1, warmup = 100;
  double lr = 1e-3, lr_end = 0, wd = 0.1, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, grad_clip_norm = 1;
  uint64_t seed = 0;
  int64_t log_every = 20, save_every = 1000, eval_every = 500;
  int workers = 2, keep = 2;
};

// The model of a config file (its vocabulary is the tokenizer's), or that of given weights.
std::unique_ptr<Llama> make_model(const PretrainOptions& o, const Tokenizer& tokenizer) {
  const DType type = parse_precision(o.precision);
  const Device device = parse_device(o.device);
  if (o.model.empty() == o.pretrained.empty())
    fail_usage("give either --model CONFIG.json, to start from nothing, or --pretrained FOLDER");
  if (!o.pretrained.empty()) {
    auto model = load_llama(o.pretrained, type, Training::yes, device);
    check_vocabulary(*model, tokenizer, o.pretrained, o.tokenizer);
    return model;
  }
  Json json = read_json(o.model);
  json["vocab_size"] = tokenizer.vocabulary();
  auto model =
      std::make_unique<Llama>(parse_llama_config(json, o.model), type, Training::yes, device);
  model->parameters().initialize(o.seed);
  return model;
}

class PretrainRun : public TrainingJob {
 public:
  // Reads and checks everything that a run needs; only then it makes the run folder.
  PretrainRun(const PretrainOptions& o, const Command& command);
  void run();

 private:
  Gradients compute_gradients() override;
  void apply(double lr, int64_t step) override;
  Report report(int64_t steps, double seconds) override;
  MetricValues evaluate() override;
  void save(int64_t step) override;
  Json identity() const;
  // Tokens of a document that fit the positions of the model and a batch.
  int64_t longest() const { return std::min(model_->config().max_length, o_.batch_tokens) + 1; }
  void resume(const fs::path& checkpoint);

  const PretrainOptions& o_;
  std::unique_ptr<Tokenizer> tokenizer_;
  RunFolder folder_;
  std::unique_ptr<Llama> model_;
  Documents documents_;
  std::unique_ptr<Documents> validation_;
  DocumentDealer dealer_;
  LlamaTrainer trainer_;
  int64_t done_ = 0, rows_ = 0;  // steps before this run; rows since the last report
};

PretrainRun::PretrainRun(const PretrainOptions& o, const Command& command)
    : o_(o),
      tokenizer_(load_tokenizer(o.tokenizer)),
      folder_(o.logs, o.name, o.resume, is_llama_checkpoint),
      model_(make_model(o, *tokenizer_)),
      documents_(o.train_data, *tokenizer_, longest(), o.workers),
      dealer_(documents_, o.seed),
      trainer_(*model_, o.batch_tokens) {
  if (!o.val_data.empty())
    validation_ = std::make_unique<Documents>(o.val_data, *tokenizer_, longest(), o.workers);
  if (const fs::path from = folder_.resume_from(); !from.empty()) resume(from);
  folder_.create();
  write_manifest(folder_.path(), command, identity());
}

// What a resumed run must share with the run that it goes on with.
Json PretrainRun::identity() const {
  return {{"documents", documents_.size()},
          {"tokens", documents_.tokens()},
          {"digest", fmt::format("{:016x}", documents_.digest())},
          {"batch_tokens", o_.batch_tokens},
          {"accum_freq", o_.accum_freq},
          {"seed", o_.seed},
          {"precision", o_.precision}};
}

void PretrainRun::resume(const fs::path& checkpoint) {
  const Json state = load_llama_checkpoint(*model_, checkpoint);
  check_identity(state, identity(), checkpoint);
  dealer_.restore(state.at("dealer"), checkpoint.string());
  done_ = json_field<int64_t>(state, "step", checkpoint.string());
  log_info("{}: going on after step {}", checkpoint.string(), done_);
}

Gradients PretrainRun::compute_gradients() {
  std::vector<LlamaBatch> parts;
  for (int64_t i = 0; i < o_.accum_freq; ++i) parts.push_back(dealer_.next(o_.batch_tokens));
  for (const LlamaBatch& part : parts) rows_ += part.rows();
  return trainer_.compute_gradients(parts);
}

void PretrainRun::apply(double lr, int64_t step) {
  trainer_.apply({o_.beta1, o_.beta2, o_.eps, o_.wd, o_.grad_clip_norm}, lr, step);
}

TrainingJob::Report PretrainRun::report(int64_t, double seconds) {
  const double rate = double(rows_) / seconds;
  rows_ = 0;
  return {{{"epoch", dealer_.epochs()}, {"tokens_per_second", rate}},
          fmt::format("epoch {:.2f}  {:.0f} tokens/s", dealer_.epochs(), rate)};
}

// The mean loss over all rows of the validation documents.
MetricValues PretrainRun::evaluate() {
  if (!validation_) return {};
  double total = 0;
  int64_t rows = 0;
  for (size_t i = 0; i < validation_->size();) {
    LlamaBatch batch;
    while (i < validation_->size() &&
           batch.rows() + int64_t((*validation_)[i].size()) - 1 <= o_.batch_tokens)
      batch.add((*validation_)[i++]);
    total += double(trainer_.loss({&batch, 1})) * double(batch.counted());
    rows += batch.counted();
  }
  return {{"loss", total / double(rows)}};
}

void PretrainRun::save(int64_t step) {
  const Json state = {{"step", step}, {"dealer", dealer_.state()}, {"identity", identity()}};
  folder_.save(step, o_.keep, [&](const fs::path& folder) {
    save_llama_checkpoint(*model_, o_.tokenizer, folder, state);
  });
}

void PretrainRun::run() {
  log_info("{} parameters, {} of activations; {} documents, {} tokens, {} steps of {}",
           model_->parameters().elements(), format_bytes(double(trainer_.activation_bytes())),
           documents_.size(), documents_.tokens(), o_.steps, o_.batch_tokens * o_.accum_freq);
  const TrainingLoop loop{folder_.path(),
                          {0, o_.lr, o_.lr_end, o_.warmup, o_.steps, o_.lr_scheduler == "cosine"},
                          o_.log_every,
                          o_.save_every,
                          o_.eval_every};
  loop.run(*this, done_);
}

}  // namespace

void add_pretrain_command(Program& program) {
  Command command = program.add_command("pretrain", "train a LLaMA on documents (a rewriter)");
  auto o = std::make_shared<PretrainOptions>();
  auto option = [&](const char* flag, auto& value, const char* help) {
    return command.add_option(flag, value, help);
  };
  option("--train-data", o->train_data, "documents: .jsonl ({\"text\": ...} a line) or text lines")
      .required();
  option("--val-data", o->val_data, "documents for the validation loss");
  option("--tokenizer", o->tokenizer, "tokenizer.model or tokenizer.bin").required();
  option("--model", o->model, "config.json of Hugging Face's form, to start from nothing");
  option("--pretrained", o->pretrained, "LLaMA folder or llama2.c file to start from");
  option("--precision", o->precision, "fp32, or bf16 with fp32 masters").among({"fp32", "bf16"});
  add_device_option(command, o->device);
  option("--steps", o->steps, "optimiser steps").check(kPositive);
  option("--batch-tokens", o->batch_tokens, "tokens of a micro-batch").check(kPositive);
  option("--accum-freq", o->accum_freq, "micro-batches of a step").check(kPositive);
  option("--lr", o->lr, "peak learning rate").check(kNotNegative);
  option("--lr-end", o->lr_end, "learning rate at the end").check(kNotNegative);
  option("--lr-scheduler", o->lr_scheduler, "shape of the schedule").among({"cosine", "const"});
  option("--warmup", o->warmup, "steps of linear warm-up").check(kNotNegative);
  option("--wd", o->wd, "weight decay (of matrices)").check(kNotNegative);
  option("--beta1", o->beta1, "AdamW beta1").check(kBelowOne);
  option("--beta2", o->beta2, "AdamW beta2").check(kBelowOne);
  option("--eps", o->eps, "AdamW epsilon").check(kNotNegative);
  option("--grad-clip-norm", o->grad_clip_norm, "clip the gradient norm (0 = off)")
      .check(kNotNegative);
  option("--seed", o->seed, "of initialisation and order").check(kNotNegative);
  option("-j,--workers", o->workers, "threads that tokenize").within(1, 1024);
  option("--logs", o->logs, "folder of run folders");
  option("--name", o->name, "name of the run folder");
  option("--resume", o->resume, "'latest' goes on with this run; or a checkpoint folder");
  option("--log-every-n-steps", o->log_every, "steps between two lines of metrics")
      .check(kPositive);
  option("--save-every-n-steps", o->save_every, "steps between checkpoints").check(kPositive);
  option("--eval-every-n-steps", o->eval_every, "steps between evaluations").check(kPositive);
  option("--keep", o->keep, "checkpoints to keep").check(kPositive);
  command.callback([o, command] { PretrainRun(*o, command).run(); });
}

}  // namespace laclip

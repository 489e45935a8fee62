// laclip train: CLIP on originals and rewrites.
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>

#include "apps/command.h"
#include "apps/manifest.h"
#include "apps/models.h"
#include "apps/train/metrics.h"
#include "apps/train/options.h"
#include "apps/train/run_folder.h"
#include "apps/train/validation.h"
#include "base/check.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "data/loader.h"
#include "engine/schedule.h"
#include "models/clip_checkpoint.h"
#include "models/clip_trainer.h"

namespace laclip {
namespace {

std::unique_ptr<SampleSource> open_source(const TrainOptions& o) {
  auto source =
      open_samples(o.train_data, {o.dataset_type, o.root, o.csv_separator, o.csv_image_key,
                                  o.csv_caption_key, o.image_key, o.text_key, o.strict});
  for (const std::string& file : o.rewrites) {
    if (file.ends_with(".jsonl"))
      source->attach_rewrites_by_key(file);
    else
      source->attach_rewrites_by_line(file);
  }
  return source;
}

// A preset takes the size of its vocabulary from the tokenizer. The checkpoint says what was used.
ClipConfig model_config(const TrainOptions& o, const ClipTokenizer& tokenizer) {
  ClipConfig config = load_clip_config(o.model);
  config.vocabulary = tokenizer.vocabulary();
  config.json["text_cfg"]["vocab_size"] = config.vocabulary;
  if (!o.interpolation.empty()) config.interpolation = o.interpolation;
  return config;
}

LoaderOptions loader_options(const TrainOptions& o, const ClipConfig& config) {
  LoaderOptions options;
  options.batch_size = int64_t(o.batch_size) * o.accum_freq;
  options.image_size = int(config.image_size);
  if (o.scale.size() != 2 || o.scale[0] > o.scale[1] || o.scale[0] <= 0)
    fail_usage("--scale: two numbers, 0 < least <= most <= 1, are needed");
  options.scale = {float(o.scale[0]), float(o.scale[1])};
  options.interpolation = parse_interpolation(config.interpolation);
  options.captions = {o.p_original, o.caption_weights};
  options.seed = o.seed;
  options.workers = o.workers;
  options.strict = o.strict;
  options.max_image_pixels = o.max_image_pixels;
  return options;
}

class TrainRun {
 public:
  // Reads and checks everything that a run needs; only then it makes the run folder.
  TrainRun(const TrainOptions& o, const CLI::App& command)
      : o_(o),
        tokenizer_(open_clip_tokenizer(o.tokenizer)),
        source_(open_source(o)),
        validation_(o),
        folder_(o),
        resumed_from_(folder_.resume_from(o)),
        model_(model_config(o, *tokenizer_), parse_precision(o.precision), Training::yes,
               starting_seed()),
        loader_(*source_, loader_options(o, model_.config())),
        trainer_(model_, int64_t(o.batch_size) * o.accum_freq, o.batch_size) {
    per_epoch_ = loader_.steps_per_epoch();
    total_ = o.steps > 0 ? o.steps : o.epochs * per_epoch_;
    schedule_ = {o.lr_start,
                 o.lr,
                 o.lr_end,
                 o.warmup_epochs >= 0 ? int64_t(o.warmup_epochs * double(per_epoch_))
                                      : int64_t(o.warmup),
                 total_,
                 o.lr_scheduler == "cosine"};
    optimizer_ = {o.beta1, o.beta2, o.eps, o.wd, o.grad_clip_norm};
    if (!resumed_from_.empty())
      resume();
    else if (!o.pretrained.empty())
      load_clip_weights(model_, o.pretrained);
    folder_.create();
    write_manifest(folder_.path(), command, source_->summary());
  }
  void run();

 private:
  // Weights are drawn only where none are loaded.
  std::optional<uint64_t> starting_seed() const {
    if (resumed_from_.empty() && o_.pretrained.empty()) return o_.seed;
    return std::nullopt;
  }
  void resume();
  void train_step();
  void log(float loss, float norm, double lr);
  void save();
  void evaluate();
  ClipBatch to_tensors(const Batch& batch) const;
  Json identity() const;

  const TrainOptions& o_;
  std::unique_ptr<ClipTokenizer> tokenizer_;
  std::unique_ptr<SampleSource> source_;
  Validation validation_;
  RunFolder folder_;
  fs::path resumed_from_;  // a checkpoint, or empty
  Clip model_;
  Loader loader_;
  ClipTrainer trainer_;
  Schedule schedule_;
  OptimizerOptions optimizer_;
  int64_t per_epoch_ = 0, total_ = 0, step_ = 0, saved_ = -1;  // step_: steps done
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Progress> progress_;
  Timer since_log_;
  int64_t logged_ = 0;
  double waited_ = 0, paused_ = 0;  // seconds; paused_ since the last log
};

// What a resumed run must share with the run that it goes on with.
Json TrainRun::identity() const {
  return {{"data", source_->summary()["digest"]},
          {"batch_size", o_.batch_size * o_.accum_freq},
          {"seed", o_.seed},
          {"precision", o_.precision}};
}

void TrainRun::resume() {
  const fs::path& from = resumed_from_;
  const Json state = load_checkpoint(model_, from);
  const Json own = identity();
  for (const auto& [name, value] : own.items())
    check(state["identity"].value(name, Json()) == value,
          "{}: this checkpoint was made with {} = {}, now it is "
          "{}; a resumed run needs the same",
          from.string(), name, state["identity"].value(name, Json()).dump(), value.dump());
  step_ = json_field<int64_t>(state, "step", from.string());
  log_info("{}: going on after step {}", from.string(), step_);
}

ClipBatch TrainRun::to_tensors(const Batch& batch) const {
  const int64_t R = model_.config().image_size;
  ClipBatch result;
  result.images = tensor_of(batch.images.data(), {int64_t(batch.captions.size()), R, R, 3});
  for (const std::string& caption : batch.captions)
    result.captions.push_back(
        tokenizer_->encode_for_clip(caption, int(model_.config().context_length)));
  return result;
}

void TrainRun::train_step() {
  const Batch batch = loader_.next();
  const float loss = trainer_.compute_gradients(to_tensors(batch));
  const float norm = trainer_.gradient_norm();
  if (!std::isfinite(loss) || !std::isfinite(norm))
    fail(
        "step {}: the loss is {} and the gradient norm {}; the weights of step {} are untouched "
        "and the last "
        "checkpoint is kept in {}. Lower --lr, lengthen --warmup or set --grad-clip-norm 1",
        step_ + 1, loss, norm, step_, (folder_.path() / "checkpoints/latest").string());
  const double lr = schedule_.at(step_);
  trainer_.apply(optimizer_, lr, ++step_, norm);
  if (step_ % o_.log_every == 0 || step_ == total_) log(loss, norm, lr);
}

void TrainRun::log(float loss, float norm, double lr) {
  const double seconds = since_log_.seconds() - paused_,
               waited = loader_.seconds_waited() - waited_;
  const double pairs = double((step_ - logged_) * o_.batch_size * o_.accum_freq);
  const double scale = std::exp(double(model_.logit_scale()));
  metrics_->write("train", step_,
                  {{"loss", loss},
                   {"logit_scale", scale},
                   {"lr", lr},
                   {"grad_norm", norm},
                   {"epoch", double(step_) / double(per_epoch_)},
                   {"samples_per_second", pairs / seconds},
                   {"data_time", waited / double(step_ - logged_)},
                   {"batch_time", seconds / double(step_ - logged_)}});
  log_debug("step {}", step_);
  const double share = 100 * waited / seconds;
  progress_->update(
      step_,
      fmt::format("epoch {:.2f}  loss {:.4f}  scale {:.2f}  lr {:.2e}  {:.0f} pairs/s  "
                  "data {:.0f}%",
                  double(step_) / double(per_epoch_), loss, scale, lr, pairs / seconds, share));
  since_log_.restart();
  paused_ = 0;
  logged_ = step_;
  waited_ = loader_.seconds_waited();
}

void TrainRun::save() {
  if (saved_ == step_) return;
  saved_ = step_;
  folder_.save(model_, step_,
               {{"step", step_},
                {"epoch", double(step_) / double(per_epoch_)},
                {"identity", identity()}},
               o_.keep);
}

void TrainRun::evaluate() {
  if (!validation_.wanted()) return;
  const MetricValues values = validation_.run(model_, *tokenizer_);
  metrics_->write("val", step_, values);
  std::string line;
  for (const auto& [name, value] : values) line += fmt::format("  {} {:.4f}", name, value);
  log_info("step {}:{}", step_, line);
}

void TrainRun::run() {
  log_info("{}: {} parameters, {} of activations; {} samples, {} steps an epoch, {} in all",
           o_.model, model_.parameters().elements(),
           format_bytes(double(trainer_.activation_bytes())), source_->size(), per_epoch_, total_);
  metrics_ = std::make_unique<Metrics>(folder_.path(), step_ + 1);
  progress_ = std::make_unique<Progress>("training", "steps", total_, step_);
  loader_.seek(step_);
  logged_ = step_;
  const int64_t save_every = o_.save_every > 0 ? o_.save_every : per_epoch_;
  const int64_t eval_every = o_.eval_every > 0 ? o_.eval_every : per_epoch_;
  const CatchInterrupts scope;
  while (step_ < total_) {
    train_step();
    const bool last = step_ == total_;
    const Timer pause;  // not part of the training speed
    if (last || step_ % save_every == 0) save();
    if (last || step_ % eval_every == 0) evaluate();
    paused_ += pause.seconds();
    if (interrupted() && !last) {
      save();
      progress_->finish();
      fail("stopped after step {} of {}; --resume latest goes on from there", step_, total_);
    }
  }
  progress_->finish();
  if (const std::string broken = loader_.report().text(); !broken.empty())
    log_warning("broken samples were replaced: {}", broken);
  log_info("{}", (folder_.path() / "checkpoints/latest").string());
}

}  // namespace

void add_train_command(CLI::App& root) {
  CLI::App* command = add_command(root, "train", "train CLIP on original and rewritten captions");
  auto o = std::make_shared<TrainOptions>();
  add_train_options(*command, *o);
  command->callback([o, command] {
    parse_device(o->device);
    TrainRun(*o, *command).run();
  });
}

}  // namespace laclip

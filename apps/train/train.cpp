// laclip train: CLIP on originals and rewrites.
#include <fmt/core.h>

#include <cmath>
#include <memory>
#include <optional>

#include "apps/command.h"
#include "apps/manifest.h"
#include "apps/models.h"
#include "apps/train/decoded_crops.h"
#include "apps/train/options.h"
#include "apps/train/run_folder.h"
#include "apps/train/training_loop.h"
#include "apps/train/validation.h"
#include "base/check.h"
#include "base/log.h"
#include "base/progress.h"
#include "data/loader.h"
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

LoaderOptions loader_options(const TrainOptions& o, const ClipConfig& config, Device device) {
  LoaderOptions options;
  options.batch_size = int64_t(o.batch_size) * o.accum_freq;
  options.image_size = int(config.image_size);
  if (o.scale.size() != 2 || o.scale[0] > o.scale[1] || o.scale[0] <= 0)
    fail_usage("--scale: two numbers, 0 < least <= most <= 1, are needed");
  options.scale = {float(o.scale[0]), float(o.scale[1])};
  options.interpolation = parse_interpolation(config.interpolation);
  options.resize = device == Device::cpu;
  options.captions = {o.p_original, o.caption_weights};
  options.seed = o.seed;
  options.workers = o.workers;
  options.strict = o.strict;
  options.max_image_pixels = o.max_image_pixels;
  return options;
}

// A run goes on in the precision that it was begun in.
std::string precision_of(const TrainOptions& o, const fs::path& resumed_from) {
  if (o.precision == "auto" && !resumed_from.empty()) {
    const Json state = read_training_state(resumed_from);
    const Json was = state.value("identity", Json::object()).value("precision", Json());
    if (was.is_string()) return was.get<std::string>();
  }
  return settled_precision(o.precision, parse_device(o.device));
}

std::string run_name(const TrainOptions& o) {
  if (!o.name.empty()) return o.name;
  return fmt::format("{}-lr_{:g}-b_{}-seed_{}", fs::path(o.model).stem().string(), o.lr,
                     o.batch_size * o.accum_freq, o.seed);
}

class TrainRun : public TrainingJob {
 public:
  // Reads and checks everything that a run needs; only then it makes the run folder.
  TrainRun(const TrainOptions& o, const Command& command)
      : o_(o),
        tokenizer_(open_clip_tokenizer(o.tokenizer)),
        source_(open_source(o)),
        validation_(o),
        folder_(o.logs, run_name(o), o.resume, is_clip_checkpoint),
        resumed_from_(folder_.resume_from()),
        precision_(precision_of(o, resumed_from_)),
        model_(model_config(o, *tokenizer_), parse_precision(precision_), Training::yes,
               starting_seed(), parse_device(o.device)),
        loader_(*source_, loader_options(o, model_.config(), model_.device())),
        trainer_(model_, batch(), o.batch_size) {
    if (!resumed_from_.empty())
      resume();
    else if (!o.pretrained.empty())
      load_clip_weights(model_, o.pretrained);
    folder_.create();
    command.settle("--precision", precision_);
    write_manifest(folder_.path(), command, source_->summary());
  }
  void run();

 private:
  Gradients compute_gradients() override;
  void prepare();
  void apply(double lr, int64_t step) override;
  Report report(int64_t steps, double seconds) override;
  MetricValues evaluate() override;
  void save(int64_t step) override;
  void resume();
  Schedule schedule() const;
  ClipBatch to_tensors(const Batch& batch);
  Json identity() const;
  int64_t batch() const { return int64_t(o_.batch_size) * o_.accum_freq; }  // pairs of a step
  double epochs(int64_t steps) const { return double(steps) / double(loader_.steps_per_epoch()); }
  // Weights are drawn only where none are loaded.
  std::optional<uint64_t> starting_seed() const {
    if (resumed_from_.empty() && o_.pretrained.empty()) return o_.seed;
    return std::nullopt;
  }

  const TrainOptions& o_;
  std::unique_ptr<ClipTokenizer> tokenizer_;
  std::unique_ptr<SampleSource> source_;
  Validation validation_;
  RunFolder folder_;
  fs::path resumed_from_;  // a checkpoint, or empty
  std::string precision_;
  Clip model_;
  Loader loader_;
  ClipTrainer trainer_;
  Batch loaded_;                    // that is ready, which refers to it on the CPU
  std::optional<ClipBatch> ready_;  // the next one
  int64_t done_ = 0;                // steps
  double waited_ = 0;               // seconds for data, up to the last report
};

// What a resumed run must share with the run that it goes on with.
Json TrainRun::identity() const {
  return {{"data", source_->summary()["digest"]},
          {"batch_size", batch()},
          {"seed", o_.seed},
          {"precision", precision_}};
}

void TrainRun::resume() {
  const Json state = load_checkpoint(model_, resumed_from_);
  check_identity(state, identity(), resumed_from_);
  done_ = json_field<int64_t>(state, "step", resumed_from_.string());
  log_info("{}: going on after step {}", resumed_from_.string(), done_);
}

Schedule TrainRun::schedule() const {
  const int64_t per_epoch = loader_.steps_per_epoch();
  return {o_.lr_start,
          o_.lr,
          o_.lr_end,
          o_.warmup_epochs >= 0 ? int64_t(o_.warmup_epochs * double(per_epoch))
                                : int64_t(o_.warmup),
          o_.steps > 0 ? o_.steps : o_.epochs * per_epoch,
          o_.lr_scheduler == "cosine"};
}

// A GPU resizes the crops itself, and gets them here.
ClipBatch TrainRun::to_tensors(const Batch& batch) {
  const int64_t R = model_.config().image_size;
  ClipBatch result;
  if (batch.crops.empty()) {
    result.images = tensor_of(batch.images.data(), {int64_t(batch.captions.size()), R, R, 3});
  } else {
    result.crops = trainer_.upload(decoded_crops(batch.crops));
  }
  for (const std::string& caption : batch.captions)
    result.captions.push_back(
        tokenizer_->encode_for_clip(caption, int(model_.config().context_length)));
  return result;
}

// A GPU gets the next batch while it works on this one; the CPU has nothing to gain.
Gradients TrainRun::compute_gradients() {
  if (!ready_) prepare();
  const ClipBatch batch = std::move(*ready_);
  ready_.reset();
  const bool ahead = model_.device() == Device::cuda && done_ + 1 < schedule().steps;
  return trainer_.compute_gradients(batch, [&] {
    if (ahead) prepare();
  });
}

void TrainRun::prepare() {
  loaded_ = loader_.next();
  ready_ = to_tensors(loaded_);
}

void TrainRun::apply(double lr, int64_t step) {
  trainer_.apply({o_.beta1, o_.beta2, o_.eps, o_.wd, o_.grad_clip_norm}, lr, step);
  done_ = step;
}

TrainingJob::Report TrainRun::report(int64_t steps, double seconds) {
  const double scale = std::exp(double(model_.logit_scale()));
  const double rate = double(steps * batch()) / seconds;
  const double waited = loader_.seconds_waited() - waited_;
  waited_ += waited;
  // On a GPU the host waits for the loader while the device works.
  const char* what = model_.device() == Device::cpu ? "data" : "loader (beside the GPU)";
  return {{{"logit_scale", scale},
           {"epoch", epochs(done_)},
           {"samples_per_second", rate},
           {"data_time", waited / double(steps)}},
          fmt::format("epoch {:.2f}  scale {:.2f}  {:.0f} pairs/s  {} {:.0f}%", epochs(done_),
                      scale, rate, what, 100 * waited / seconds)};
}

MetricValues TrainRun::evaluate() {
  if (!validation_.wanted()) return {};
  return validation_.run(model_, *tokenizer_);
}

void TrainRun::save(int64_t step) {
  const Json state = {{"step", step}, {"epoch", epochs(step)}, {"identity", identity()}};
  folder_.save(step, o_.keep,
               [&](const fs::path& folder) { save_checkpoint(model_, folder, state); });
}

void TrainRun::run() {
  const int64_t per_epoch = loader_.steps_per_epoch();
  const TrainingLoop loop{folder_.path(), schedule(), o_.log_every,
                          o_.save_every > 0 ? o_.save_every : per_epoch,
                          o_.eval_every > 0 ? o_.eval_every : per_epoch};
  log_info("{}: {} parameters, {} of activations; {} samples, {} steps an epoch, {} in all",
           o_.model, model_.parameters().elements(),
           format_bytes(double(trainer_.activation_bytes())), source_->size(), per_epoch,
           loop.schedule.steps);
  loader_.seek(done_);
  loop.run(*this, done_);
  if (const std::string broken = loader_.report().text(); !broken.empty())
    log_warning("broken samples were replaced: {}", broken);
}

}  // namespace

void add_train_command(Program& program) {
  Command command = program.add_command("train", "train CLIP on original and rewritten captions");
  auto o = std::make_shared<TrainOptions>();
  add_train_options(command, *o);
  command.callback([o, command] { TrainRun(*o, command).run(); });
}

}  // namespace laclip

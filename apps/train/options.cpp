#include "apps/train/options.h"

#include <cmath>

#include "apps/command.h"

namespace laclip {
namespace {

void add_data_options(Command& command, TrainOptions& o) {
  auto add = [&](const char* flag, auto& value, const char* help) {
    return command.add_option(flag, value, help).group("Data");
  };
  add("--train-data,--train_data", o.train_data,
      "tar shards (a/{000..099}.tar::b.tar), LaCLIP CSV, or open_clip CSV/TSV")
      .required();
  add("--dataset-type", o.dataset_type, "form of the data")
      .among({"auto", "webdataset", "csv", "laclip-csv"});
  add("--root", o.root, "folder that image paths of a table start from");
  add("--csv-separator", o.csv_separator, "column separator of an open_clip table");
  add("--csv-img-key", o.csv_image_key, "column of the image path");
  add("--csv-caption-key", o.csv_caption_key, "column of the caption");
  add("--image-key", o.image_key, "endings of images in shards");
  add("--text-key", o.text_key, "endings of captions in shards");
  add("--rewrites,--augmented_caption_filelist", o.rewrites,
      "rewritten captions, a file each source: text (one line a sample) or JSONL (by key)")
      .type_name("FILE");
  add("--p-original", o.p_original,
      "probability of the original caption; -1 = uniform over original and rewrites")
      .within(-1.0, 1.0);
  add("--caption-weights", o.caption_weights, "weight of the original, then of each source");
  add("-j,--workers", o.workers, "threads that decode images").within(1, 1024);
  command.add_flag("--strict", o.strict, "stop at the first broken sample").group("Data");
  add("--max-image-pixels", o.max_image_pixels, "larger images count as broken").check(kPositive);
}

void add_model_options(Command& command, TrainOptions& o) {
  auto add = [&](const char* flag, auto& value, const char* help) {
    return command.add_option(flag, value, help).group("Model");
  };
  add("--model", o.model, "preset name or path of an open_clip model config");
  add("--pretrained", o.pretrained, "weights to start from (safetensors)");
  add("--tokenizer", o.tokenizer, "CLIP vocabulary (bpe_simple_vocab_16e6.txt.gz or an own one)")
      .required();
  add_precision_option(command, o.precision, "fp32, or bf16 with fp32 masters").group("Model");
  add_device_option(command, o.device).group("Model");
}

void add_optimizer_options(Command& command, TrainOptions& o) {
  auto add = [&](const char* flag, auto& value, const char* help) {
    return command.add_option(flag, value, help).group("Optimisation");
  };
  add("--epochs", o.epochs, "passes over the data").check(kPositive);
  add("--steps", o.steps, "stop after so many steps (0 = by epochs)").check(kNotNegative);
  add("-b,--batch-size", o.batch_size, "image-text pairs of a micro-batch").check(kPositive);
  add("--accum-freq,--update-freq", o.accum_freq,
      "micro-batches of a step; the loss sees all of them as negatives")
      .check(kPositive);
  add("--lr", o.lr, "peak learning rate").check(kNotNegative);
  add("--lr-start", o.lr_start, "learning rate at the start of the warm-up").check(kNotNegative);
  add("--lr-end,--lr-cooldown-end", o.lr_end, "learning rate at the end").check(kNotNegative);
  add("--lr-scheduler", o.lr_scheduler, "shape of the schedule").among({"cosine", "const"});
  add("--warmup", o.warmup, "steps of linear warm-up").check(kNotNegative);
  add("--warmup-epochs", o.warmup_epochs, "warm-up in epochs, instead of --warmup");
  add("--wd", o.wd, "weight decay (of matrices and embeddings)").check(kNotNegative);
  add("--beta1", o.beta1, "AdamW beta1").check(kBelowOne);
  add("--beta2", o.beta2, "AdamW beta2").check(kBelowOne);
  add("--eps", o.eps, "AdamW epsilon").check(kNotNegative);
  add("--grad-clip-norm", o.grad_clip_norm, "clip the gradient norm (0 = off)").check(kNotNegative);
  add("--scale", o.scale, "RandomResizedCrop: smallest and largest share of the area")
      .expected(2)
      .within(0.0, 1.0);
  add("--image-interpolation", o.interpolation, "bilinear or bicubic (default: the model's)")
      .among({"", "bilinear", "bicubic"});
  add("--seed", o.seed, "of initialisation, order, crops and caption choice").check(kNotNegative);
}

void add_run_options(Command& command, TrainOptions& o) {
  auto add = [&](const char* flag, auto& value, const char* help) {
    return command.add_option(flag, value, help).group("Run");
  };
  add("--logs,--output-dir", o.logs, "folder of run folders");
  add("--name", o.name, "name of the run folder (default: model, learning rate, batch, seed)");
  add("--resume", o.resume, "'latest' goes on with this run; or a checkpoint folder");
  add("--log-every-n-steps,--print-freq", o.log_every, "steps between two lines of metrics")
      .check(kPositive);
  add("--save-every-n-steps", o.save_every, "steps between checkpoints (0 = each epoch)")
      .check(kNotNegative);
  add("--keep", o.keep, "checkpoints to keep").check(kPositive);
  add("--val-images,--imagenet-val", o.val_images, "class folders for zero-shot evaluation");
  add("--classnames", o.classnames, "class names (JSON) of --val-images");
  add("--templates", o.templates, "prompt templates (JSON) of --val-images");
  add("--val-pairs", o.val_pairs, "image-text pairs (JSONL) for retrieval evaluation");
  add("--eval-every-n-steps", o.eval_every, "steps between evaluations (0 = each epoch)")
      .check(kNotNegative);
}

}  // namespace

void add_train_options(Command& command, TrainOptions& options) {
  add_data_options(command, options);
  add_model_options(command, options);
  add_optimizer_options(command, options);
  add_run_options(command, options);
}

}  // namespace laclip

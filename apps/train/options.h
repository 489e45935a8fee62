// The options of `laclip train`, named as open_clip's where it has one; LaCLIP's names are aliases.
#pragma once

#include <string>
#include <vector>

#include "apps/command.h"

namespace laclip {

struct TrainOptions {
  // data
  std::string train_data, dataset_type = "auto", root;
  std::string csv_separator = "\t", csv_image_key = "filepath", csv_caption_key = "title";
  std::string image_key = "jpg;png;jpeg;webp", text_key = "txt";
  std::vector<std::string> rewrites;  // line-aligned text or JSONL by key, one for each source
  double p_original = -1;             // < 0: uniform over the original and its rewrites
  std::vector<double> caption_weights;
  int workers = 2;
  bool strict = false;
  int64_t max_image_pixels = 25'000'000;

  // model
  std::string model = "ViT-B-32", pretrained, tokenizer, precision = "auto", device = "auto";

  // optimisation
  int64_t epochs = 32, steps = 0;
  int batch_size = 64, accum_freq = 1;
  double lr = 5e-4, lr_start = 0, lr_end = 0, wd = 0.2, beta1 = 0.9, beta2 = 0.98, eps = 1e-6;
  double warmup = 10000, warmup_epochs = -1, grad_clip_norm = 0;
  std::string lr_scheduler = "cosine";
  std::vector<double> scale{0.9, 1.0};  // of the training crop, share of the area
  std::string interpolation;            // "" = the model's
  uint64_t seed = 0;

  // run folder
  std::string logs = "logs", name, resume;
  int64_t log_every = 20, save_every = 0;
  int keep = 2;

  // evaluation during training
  std::string val_images, val_pairs, classnames, templates;
  int64_t eval_every = 0;
};

// Adds all options to the command, with their defaults in the help.
void add_train_options(Command& command, TrainOptions& options);

}  // namespace laclip

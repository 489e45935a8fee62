// Batches for training: decoded by threads ahead of use, in an order that is a pure function of
// (seed, step). Neither the number of threads nor timing changes a batch, and seek() is exact.
//
// An epoch is a permutation of the samples; its last partial batch is left out. A broken sample is
// counted and replaced by another of the same epoch, chosen by rule.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "data/caption_choice.h"
#include "data/fault_report.h"
#include "data/image_augment.h"
#include "data/image_decode.h"

namespace laclip {

struct LoaderOptions {
  int64_t batch_size = 64;
  int image_size = 224;
  CropScale scale;
  Interpolation interpolation = Interpolation::bilinear;
  bool resize = true;  // false: the reader does that, as a GPU can
  CaptionChoice captions;
  uint64_t seed = 0;
  int workers = 2;
  int prefetch = 4;  // batches
  bool strict = false;
  int64_t max_image_pixels = 25'000'000;
};

struct Batch {
  int64_t step = 0, epoch = 0;
  std::vector<uint8_t> images;   // [B R R 3], or
  std::vector<ImageCrop> crops;  // [B], if they are not resized
  std::vector<std::string> captions;
  std::vector<size_t> samples;
};

class Loader {
 public:
  // Error if there are fewer samples than a batch needs.
  Loader(const SampleSource& source, LoaderOptions options);
  ~Loader();

  int64_t steps_per_epoch() const { return int64_t(source_.size()) / options_.batch_size; }
  void seek(int64_t step);  // the next batch is that of `step`
  Batch next();             // Error for a broken sample if strict

  double seconds_waited() const { return seconds_waited_; }
  FaultReport report() const;  // broken samples

 private:
  struct Pending {
    Batch batch;
    std::shared_ptr<const std::vector<uint32_t>> order;
    int64_t open = 0;  // samples that are not done
    std::string error;
  };
  void schedule();
  void load_sample(Pending& pending, int64_t slot);
  std::shared_ptr<const std::vector<uint32_t>> order_of(int64_t epoch);

  const SampleSource& source_;
  LoaderOptions options_;
  DecodeOptions decode_;
  int64_t next_step_ = 0;
  std::deque<std::shared_ptr<Pending>> queue_;
  int64_t order_epoch_ = -1;
  std::shared_ptr<const std::vector<uint32_t>> order_;
  mutable std::mutex mutex_;
  std::condition_variable done_;
  FaultReport report_;
  double seconds_waited_ = 0;
  ThreadPool pool_;  // last: its threads end before the rest goes
};

}  // namespace laclip

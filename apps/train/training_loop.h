// What every training command does alike: steps with a schedule, metrics, progress, checkpoints and
// evaluations at their turn, a stop at a loss that is not finite, a resumable end on Ctrl-C.
#pragma once

#include "apps/train/metrics.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"

namespace laclip {

// What a command adds to the loop.
class TrainingJob {
 public:
  struct Report {
    MetricValues metrics;  // beside loss, lr, grad_norm and batch_time
    std::string text;      // for the console, behind loss and lr
  };
  virtual ~TrainingJob() = default;
  virtual Gradients compute_gradients() = 0;  // of the next batch
  virtual void apply(double lr, int64_t step) = 0;
  virtual Report report(int64_t steps, double seconds) = 0;  // since the last one
  virtual MetricValues evaluate() = 0;                       // empty: there is nothing to evaluate
  virtual void save(int64_t step) = 0;
};

struct TrainingLoop {
  fs::path folder;  // of the run
  Schedule schedule;
  int64_t log_every = 20, save_every = 1000, eval_every = 1000;

  // From step `done` + 1 to the end of the schedule. Error if the loss or the gradient is not finite
  // (the weights are then untouched), or after an interrupt (a checkpoint is then saved).
  void run(TrainingJob& job, int64_t done) const;
};

}  // namespace laclip

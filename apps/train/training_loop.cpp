#include "apps/train/training_loop.h"

#include <fmt/core.h>

#include <cmath>

#include "base/check.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"

namespace laclip {
namespace {

void check_finite(Gradients g, int64_t done, const fs::path& folder) {
  if (std::isfinite(g.loss) && std::isfinite(g.norm)) return;
  const fs::path latest = folder / "checkpoints/latest";
  fail(
      "step {}: the loss is {} and the gradient norm {}; {}. Lower --lr, lengthen --warmup or set "
      "--grad-clip-norm 1",
      done + 1, g.loss, g.norm,
      fs::exists(latest) ? "the last checkpoint is kept in " + latest.string()
                         : "no checkpoint was written before");
}

std::string text_of(const MetricValues& values) {
  std::string text;
  for (const auto& [name, value] : values) text += fmt::format("  {} {:.4f}", name, value);
  return text;
}

}  // namespace

void TrainingLoop::run(TrainingJob& job, int64_t done) const {
  Metrics metrics(folder, done + 1);
  const int64_t total = schedule.steps;
  Progress progress("training", "steps", total, done);
  const CatchInterrupts scope;
  Timer since_report;
  double paused = 0;  // seconds of checkpoints and evaluations since the last report
  int64_t reported = done, saved = -1;
  auto save = [&] {
    if (saved != done) job.save(done);
    saved = done;
  };
  while (done < total) {
    const Gradients g = job.compute_gradients();
    check_finite(g, done, folder);
    const double lr = schedule.at(done);
    job.apply(lr, ++done);
    const bool last = done == total;
    if (last || done % log_every == 0) {
      const double seconds = since_report.seconds() - paused;
      const int64_t steps = done - reported;
      TrainingJob::Report report = job.report(steps, seconds);
      MetricValues values{{"loss", g.loss},
                          {"lr", lr},
                          {"grad_norm", g.norm},
                          {"batch_time", seconds / double(steps)}};
      values.insert(values.end(), report.metrics.begin(), report.metrics.end());
      metrics.write("train", done, values);
      progress.update(done, fmt::format("loss {:.4f}  lr {:.2e}  {}", g.loss, lr, report.text));
      since_report.restart();
      paused = 0;
      reported = done;
    }
    const Timer pause;
    // Evaluation comes first: after a kill in it, the steps from the last checkpoint are done again and
    // so is the evaluation; behind the checkpoint it would be lost.
    if (last || done % eval_every == 0) {
      if (const MetricValues values = job.evaluate(); !values.empty()) {
        metrics.write("val", done, values);
        log_info("step {}:{}", done, text_of(values));
      }
    }
    if (last || done % save_every == 0) save();
    paused += pause.seconds();
    if (interrupted() && !last) {
      save();
      progress.finish();
      fail("stopped after step {} of {}; --resume latest goes on from there", done, total);
    }
  }
  progress.finish();
  log_info("{}", (folder / "checkpoints/latest").string());
}

}  // namespace laclip

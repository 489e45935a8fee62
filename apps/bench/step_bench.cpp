#include "apps/bench/step_bench.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "apps/bench/median.h"
#include "apps/bench/noise.h"
#include "base/check.h"
#include "base/log.h"
#include "base/philox.h"
#include "base/timer.h"
#include "kernels/core/profile.h"
#include "kernels/cuda/gemm_way.h"
#include "models/clip_trainer.h"

namespace laclip {
namespace {

// Multiply-adds of one forward pass, times two: the matrices, and the scores and sums of attention.
double tower_flops(const TowerConfig& t, double rows, double length, bool causal) {
  const double C = double(t.width), F = double(t.mlp_width), L = double(t.layers);
  const double matrices = rows * (4 * C * C + 2 * C * F),
               attention = rows * length * 2 * C * (causal ? 0.5 : 1);
  return 2 * L * (matrices + attention);
}

// Noise, like everything that is read here: a block that is repeated.
std::vector<uint8_t> random_pixels(int64_t count) {
  Random random(0, RandomUse::test);
  std::vector<uint8_t> pixels(size_t(count), 0);
  const size_t block = std::min(pixels.size(), size_t(1) << 20);
  for (size_t i = 0; i < block; ++i) pixels[i] = uint8_t(random.bits());
  for (size_t at = block; at < pixels.size(); at += block)
    std::memcpy(&pixels[at], pixels.data(), std::min(block, pixels.size() - at));
  return pixels;
}

class StepBench {
 public:
  explicit StepBench(const StepBenchOptions& o)
      : config_(load_clip_config(o.model)),
        model_(config_, o.precision, Training::yes, std::nullopt, o.device),
        trainer_(model_, o.batch, o.batch) {
    Noise(trainer_.stream()).fill(model_.parameters());
    const int64_t B = o.batch, R = config_.image_size;
    Random random(0, RandomUse::test);
    for (int64_t i = 0; i < B; ++i) {
      std::vector<int32_t> caption(
          size_t(std::min<int64_t>(o.text_length, config_.context_length)));
      for (int32_t& id : caption) id = int32_t(random.below(uint32_t(config_.vocabulary)));
      batch_.captions.push_back(caption);
    }
    // Resident: training brings images beside a step.
    pixels_ = random_pixels(B * R * R * 3);
    batch_.images = trainer_.upload(tensor_of(pixels_.data(), {B, R, R, 3}));
    // A GPU's first step makes scratch memory grow, the second sees where it is, the third is recorded.
    constexpr int kWarmUps = 3;
    for (int i = 0; i < kWarmUps; ++i) seconds();
  }
  double seconds() {
    const Timer timer;
    const float loss = trainer_.compute_gradients(batch_).loss;
    trainer_.apply({}, 1e-6, ++step_);
    check(loss == loss, "the step gave NaN");
    return timer.seconds();
  }
  // Backward takes the gradient of the inputs and of the weights: twice the forward pass; the patches need
  // that of the weights only.
  double flops() const {
    const ClipConfig& c = config_;
    const double B = double(batch_.captions.size()), T = double(text_length()),
                 P = double(c.patches() + 1);
    const double patches =
        2 * B * double(c.patches()) * 3 * double(c.patch * c.patch) * double(c.vision.width);
    return 3 * (tower_flops(c.vision, B * P, P, false) + tower_flops(c.text, B * T, T, true)) +
           2 * patches;
  }
  size_t text_length() const { return batch_.captions[0].size(); }
  Stream& stream() { return trainer_.stream(); }

 private:
  ClipConfig config_;
  Clip model_;
  ClipTrainer trainer_;
  std::vector<uint8_t> pixels_;
  ClipBatch batch_;
  int step_ = 0;
};

std::string_view precision_of(const StepBenchOptions& o) {
  return o.precision == DType::bf16 ? "bf16" : "fp32";
}

}  // namespace

Json bench_step(const StepBenchOptions& o, double peak) {
  cuda::take_used_algorithms();  // those of other rows
  StepBench step(o);
  std::vector<double> times;
  for (int i = 0; i < o.repeats; ++i) times.push_back(step.seconds());
  const double seconds = median(times), rate = step.flops() / seconds / 1e9;
  log_info(
      "{} training step, batch {}, {}-token captions, {}: {:.0f} ms, {:.1f} pairs/s, {:.0f} "
      "GFLOP/s = {:.0f} % of {:.0f}",
      o.model, o.batch, step.text_length(), precision_of(o), 1e3 * seconds, o.batch / seconds, rate,
      100 * rate / peak, peak);
  Json row = {{"bench", "clip_step"},
              {"model", o.model},
              {"precision", precision_of(o)},
              {"batch", o.batch},
              {"text_tokens", step.text_length()},
              {"seconds", seconds},
              {"pairs_per_second", o.batch / seconds},
              {"gflops", rate},
              {"peak_gflops", peak},
              {"fraction", rate / peak}};
  const auto algorithms = cuda::take_used_algorithms();
  if (!algorithms.empty()) row["algorithms"] = algorithms;
  return row;
}

Json profile_step(const StepBenchOptions& o) {
  StepBench step(o);
  OpProfile profile;
  step.stream().profile = &profile;
  for (int i = 0; i < o.repeats; ++i) step.seconds();
  step.stream().profile = nullptr;
  std::vector<Json> rows;
  for (const auto& [op, entry] : profile.ops)
    rows.push_back({{"bench", "step_op"},
                    {"model", o.model},
                    {"op", op},
                    {"calls", entry.calls / o.repeats},
                    {"seconds", entry.seconds / o.repeats}});
  std::sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return a["seconds"].get<double>() > b["seconds"].get<double>();
  });
  for (const Json& row : rows)
    log_info("{:28} {:6} calls {:9.3f} ms a step", row["op"].get<std::string>(),
             row["calls"].get<int64_t>(), 1e3 * row["seconds"].get<double>());
  return rows;
}

}  // namespace laclip

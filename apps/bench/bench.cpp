// laclip bench: speed of a CLIP training step, of rewriting and of single ops, as fractions of the ceilings
// measured in the same run.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "apps/bench/ceilings.h"
#include "apps/bench/decode_bench.h"
#include "apps/bench/median.h"
#include "apps/bench/op_bench.h"
#include "apps/command.h"
#include "apps/device.h"
#include "apps/manifest.h"
#include "base/check.h"
#include "base/log.h"
#include "base/philox.h"
#include "base/timer.h"
#include "models/clip_trainer.h"

namespace laclip {
namespace {

struct BenchOptions {
  std::string what = "all", model = "ViT-B-32", precision = "auto", device = "auto", output;
  double scale = 1;
  int batch_size = 32, repeats = 5, text_length = 22;
  bool profile = false;
  DecodeBenchOptions decode;
};

// Multiply-adds of one forward pass, times two: the matrices, and the scores and sums of attention.
double tower_flops(const TowerConfig& t, double rows, double length, bool causal) {
  const double C = double(t.width), F = double(t.mlp_width), L = double(t.layers);
  const double matrices = rows * (4 * C * C + 2 * C * F),
               attention = rows * length * 2 * C * (causal ? 0.5 : 1);
  return 2 * L * (matrices + attention);
}

// Of matrix products, on the device that is measured.
double ceiling(const BenchOptions& o, DType type) {
  const Device device = parse_device(o.device);
  if (device == Device::cpu) return peak_gflops(type);
  return product_gflops(device, std::max<int64_t>(16, int64_t(8192 * std::cbrt(o.scale))), type);
}

Json bench_step(const BenchOptions& o) {
  const DType type = parse_precision(o.precision);
  const ClipConfig config = load_clip_config(o.model);
  Clip model(config, type, Training::yes, 0, parse_device(o.device));
  const int64_t B = o.batch_size, R = config.image_size;
  ClipTrainer trainer(model, B, B);
  std::vector<uint8_t> pixels(size_t(B * R * R * 3));
  Random random(0, RandomUse::test);
  for (uint8_t& p : pixels) p = uint8_t(random.bits());
  ClipBatch batch;
  for (int64_t i = 0; i < B; ++i) {
    std::vector<int32_t> caption(size_t(std::min<int64_t>(o.text_length, config.context_length)));
    for (int32_t& id : caption) id = int32_t(random.below(uint32_t(config.vocabulary)));
    batch.captions.push_back(caption);
  }
  batch.images = trainer.upload(
      tensor_of(pixels.data(), {B, R, R, 3}));  // resident: training brings them beside a step
  const double T = double(batch.captions[0].size()), P = double(config.patches() + 1);
  const double patches = 2 * double(B) * double(config.patches()) * 3 *
                         double(config.patch * config.patch) * double(config.vision.width);
  // Backward takes the gradient of the inputs and of the weights: twice the forward pass; the
  // patches need that of the weights only.
  const double flops = 3 * (tower_flops(config.vision, double(B) * P, P, false) +
                            tower_flops(config.text, double(B) * T, T, true)) +
                       2 * patches;
  std::vector<double> seconds;
  OpProfile profile;
  // A GPU's first step makes scratch memory grow, the second sees where it is, the third is recorded.
  constexpr int kWarmUps = 3;
  for (int i = -kWarmUps; i < o.repeats; ++i) {
    if (i == 0 && o.profile) trainer.stream().profile = &profile;
    const Timer timer;
    const float loss = trainer.compute_gradients(batch).loss;
    trainer.apply({}, 1e-6, i + kWarmUps + 1);
    check(loss == loss, "the step gave NaN");
    if (i >= 0) seconds.push_back(timer.seconds());
  }
  const double peak = ceiling(o, type), rate = flops / median(seconds) / 1e9;
  for (const auto& [name, entry] : profile.ops)
    log_info("{:28} {:6} calls {:9.1f} ms a step", name, entry.calls / o.repeats,
             1e3 * entry.seconds / o.repeats);
  log_info(
      "{} training step, batch {}, {}-token captions, {}: {:.0f} ms, {:.1f} pairs/s, {:.0f} "
      "GFLOP/s = "
      "{:.0f} % of {:.0f}",
      o.model, B, T, o.precision, 1e3 * median(seconds), double(B) / median(seconds), rate,
      100 * rate / peak, peak);
  return {{"bench", "clip_step"},
          {"model", o.model},
          {"precision", o.precision},
          {"batch", B},
          {"text_tokens", T},
          {"seconds", median(seconds)},
          {"pairs_per_second", double(B) / median(seconds)},
          {"gflops", rate},
          {"peak_gflops", peak},
          {"fraction", rate / peak}};
}

DecodeBenchOptions decode_options(const BenchOptions& o) {
  DecodeBenchOptions decode = o.decode;
  decode.device = parse_device(o.device);
  decode.repeats = o.repeats;
  decode.peak_gflops = ceiling(o, DType::bf16);
  return decode;
}

void bench(const BenchOptions& o) {
  const Device device = parse_device(o.device);
  Json rows = Json::array();
  if (o.what == "ops") rows = bench_ops({device, o.scale, o.repeats});
  if (o.what == "all" || o.what == "ceilings") {
    rows.push_back({{"bench", "ceilings"},
                    {"fp32_gflops", peak_gflops(DType::f32)},
                    {"bf16_gflops", peak_gflops(DType::bf16)},
                    {"read_gbs", read_bandwidth_gbs()}});
  }
  if (o.what == "all" || o.what == "step") rows.push_back(bench_step(o));
  if (o.what == "all" || o.what == "decode") rows.push_back(bench_decode(decode_options(o)));
  std::string lines;
  for (const Json& row : rows) lines += row.dump() + "\n";
  fmt::print("{}", lines);
  if (!o.output.empty()) write_atomically(o.output, lines);
}

}  // namespace

void add_bench_command(CLI::App& root) {
  CLI::App* command =
      add_command(root, "bench",
                  "speed, as fractions of the machine's ceilings measured in the same run");
  auto o = std::make_shared<BenchOptions>();
  command->add_option("what", o->what, "what to measure; `all` leaves out `ops`, each op by itself")
      ->check(CLI::IsMember({"all", "ceilings", "ops", "step", "decode"}));
  command->add_option("--model", o->model, "CLIP of the training step");
  add_precision_option(*command, o->precision, "of the training step");
  add_device_option(*command, o->device);
  command->add_option("-b,--batch-size", o->batch_size, "of the training step")->check(kPositive);
  command->add_option("--text-length", o->text_length, "tokens of a caption")->check(kPositive);
  command
      ->add_option("--llama", o->decode.config,
                   "config.json of decoding; without it a LLaMA of 1.1B")
      ->check(CLI::ExistingFile);
  const auto count = [&](const char* flag, int& value, const char* help) {
    command->add_option(flag, value, help)->check(kPositive);
  };
  count("--slots", o->decode.slots, "of decoding: texts at once");
  count("--captions", o->decode.captions, "that decoding rewrites; without it one for each slot");
  count("--prefix-tokens", o->decode.prefix_tokens, "of the examples that all captions share");
  count("--caption-tokens", o->decode.caption_tokens, "of a caption");
  count("--new-tokens", o->decode.new_tokens, "of its rewrite");
  command->add_option("--repeats", o->repeats, "the median counts")->check(kPositive);
  command->add_option("--scale", o->scale, "of the sizes that `ops` takes; 1 = ViT-B-16, batch 256")
      ->check(kPositive);
  command->add_flag("--profile", o->profile, "time of each op of the step");
  command->add_option("-o,--output", o->output, "also write the JSON lines to this file");
  command->callback([o] {
    o->precision = settled_precision(o->precision, parse_device(o->device));
    bench(*o);
  });
}

}  // namespace laclip

// laclip bench: speed of a CLIP training step and of LLaMA decoding, as fractions of the ceilings
// measured in the same run.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "apps/bench/ceilings.h"
#include "apps/bench/op_bench.h"
#include "apps/command.h"
#include "apps/manifest.h"
#include "apps/models.h"
#include "base/check.h"
#include "base/log.h"
#include "base/philox.h"
#include "models/clip_trainer.h"
#include "models/llama_config.h"
#include "models/llama_generator.h"

namespace laclip {
namespace {

struct BenchOptions {
  std::string what = "all", llama, model = "ViT-B-32", precision = "fp32", device = "auto", output;
  double scale = 1;
  int batch_size = 32, repeats = 5, slots = 64, text_length = 22;
  bool profile = false;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

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
  ClipBatch batch{tensor_of(pixels.data(), {B, R, R, 3}), {}};
  for (int64_t i = 0; i < B; ++i) {
    std::vector<int32_t> caption(size_t(std::min<int64_t>(o.text_length, config.context_length)));
    for (int32_t& id : caption) id = int32_t(random.below(uint32_t(config.vocabulary)));
    batch.captions.push_back(caption);
  }
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
  for (int i = -1; i < o.repeats; ++i) {
    if (i == 0 && o.profile) trainer.stream().profile = &profile;
    const Timer timer;
    const float loss = trainer.compute_gradients(batch).loss;
    trainer.apply({}, 1e-6, i + 2);
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

// Decoding alone: all slots are busy, each with a shared prefix and some own tokens.
Json bench_decode(const BenchOptions& o) {
  LlamaConfig c;  // the shape of a 1.1B-parameter LLaMA (TinyLlama)
  c.width = 2048;
  c.mlp_width = 5632;
  c.layers = 22;
  c.heads = 32;
  c.key_heads = 4;
  c.head_size = 64;
  c.vocabulary = 32000;
  c.max_length = 2048;
  if (!o.llama.empty()) c = parse_llama_config(read_json(o.llama), o.llama);
  Llama model(c, DType::bf16, Training::no, parse_device(o.device));
  model.parameters().initialize(0);
  constexpr int kPrefix = 130, kQuery = 20, kFew = 4, kMany = 16;  // tokens
  std::vector<int32_t> prefix(kPrefix), query(kQuery);
  Random random(0, RandomUse::test);
  for (auto* list : {&prefix, &query})
    for (int32_t& id : *list) id = int32_t(random.below(uint32_t(c.vocabulary)));
  std::vector<double> prefill;
  // The first forward calls take the queries; the rest decode one token of each slot. A run of
  // kMany new tokens is compared with one of kFew, so that the difference is decoding alone.
  auto timed = [&](int new_tokens) {
    GeneratorOptions options;
    options.slots = o.slots;
    options.max_rows = std::max(512, o.slots);
    options.max_own_tokens = kQuery + kMany;
    options.max_prefix_tokens = kPrefix;
    options.max_new_tokens = new_tokens;
    options.temperature = 0.9f;
    options.top_p = 0.95f;
    LlamaGenerator generator(model, options);
    Timer timer;
    const int shared = generator.add_prefix(prefix);
    prefill.push_back(timer.seconds());
    int given = 0;
    timer.restart();
    generator.run(
        [&]() -> std::optional<GenerationRequest> {
          if (given == o.slots) return std::nullopt;
          return GenerationRequest{uint64_t(given++), shared, query};
        },
        [](Generation) { return true; });
    return timer.seconds();
  };
  std::vector<double> seconds;
  for (int i = 0; i < std::max(1, o.repeats / 2); ++i) {
    const double few = timed(kFew);
    seconds.push_back((timed(kMany) - few) / (kMany - kFew));
  }
  const int64_t rows = o.slots;
  const double step = median(seconds), C = double(c.width);
  const double matrices =
      double(c.layers) * (C * double(c.qkv_width()) + C * C + 3 * C * double(c.mlp_width)) +
      C * double(c.vocabulary);
  const double attention = double(c.layers) * 2 * C * (kPrefix + kQuery + (kFew + kMany) / 2.0);
  const double flops = 2 * double(rows) * (matrices + attention);
  const double peak = ceiling(o, DType::bf16), rate = flops / step / 1e9;
  log_info(
      "LLaMA of {:.2f}B, bf16, {} slots, prefix {}: {:.0f} ms a decode step, {:.0f} tokens/s, "
      "{:.0f} GFLOP/s = "
      "{:.0f} % of {:.0f}; prefix in {:.2f} s",
      double(model.parameters().elements()) / 1e9, rows, kPrefix, 1e3 * step, double(rows) / step,
      rate, 100 * rate / peak, peak, median(prefill));
  return {{"bench", "llama_decode"},
          {"parameters", model.parameters().elements()},
          {"slots", rows},
          {"prefix", kPrefix},
          {"seconds_per_step", step},
          {"tokens_per_second", double(rows) / step},
          {"gflops", rate},
          {"peak_gflops", peak},
          {"fraction", rate / peak}};
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
  if (o.what == "all" || o.what == "decode") rows.push_back(bench_decode(o));
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
  command->add_option("--precision", o->precision, "of the training step")
      ->check(CLI::IsMember({"fp32", "bf16"}));
  add_device_option(*command, o->device);
  command->add_option("-b,--batch-size", o->batch_size, "of the training step")
      ->check(CLI::PositiveNumber);
  command->add_option("--text-length", o->text_length, "tokens of a caption")
      ->check(CLI::PositiveNumber);
  command->add_option("--llama", o->llama, "config.json of decoding; without it a LLaMA of 1.1B")
      ->check(CLI::ExistingFile);
  command->add_option("--slots", o->slots, "of decoding")->check(CLI::PositiveNumber);
  command->add_option("--repeats", o->repeats, "the median counts")->check(CLI::PositiveNumber);
  command->add_option("--scale", o->scale, "of the sizes that `ops` takes; 1 = ViT-B-16, batch 256")
      ->check(CLI::PositiveNumber);
  command->add_flag("--profile", o->profile, "time of each op of the step");
  command->add_option("-o,--output", o->output, "also write the JSON lines to this file");
  command->callback([o] { bench(*o); });
}

}  // namespace laclip

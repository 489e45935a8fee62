#include "apps/bench/decode_bench.h"

#include <algorithm>

#include "apps/bench/median.h"
#include "apps/bench/noise.h"
#include "base/log.h"
#include "base/philox.h"
#include "base/timer.h"
#include "models/llama_config.h"
#include "models/llama_generator.h"

namespace laclip {
namespace {

LlamaConfig config_of(const DecodeBenchOptions& o) {
  if (!o.config.empty()) return parse_llama_config(read_json(o.config), o.config);
  LlamaConfig c;  // the shape of a 1.1B-parameter LLaMA (TinyLlama)
  c.width = 2048;
  c.mlp_width = 5632;
  c.layers = 22;
  c.heads = 32;
  c.key_heads = 4;
  c.head_size = 64;
  c.vocabulary = 32000;
  c.max_length = 2048;
  return c;
}

std::vector<int32_t> random_tokens(int count, int64_t vocabulary, uint64_t seed) {
  Random random(seed, RandomUse::test);
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& id : tokens) id = int32_t(random.below(uint32_t(vocabulary)));
  return tokens;
}

class Rewriting {
 public:
  explicit Rewriting(const DecodeBenchOptions& o)
      : o_(o),
        model_(config_of(o), DType::bf16, Training::no, o.device),
        generator_(model_, generator_options(o)) {
    draw_weights();
    if (o.prefixes == DecodeBenchOptions::Prefixes::shared) {
      add_prefix(0);  // its working memory grows
      generator_.drop_prefix(0);
      const Timer timer;
      shared_ = add_prefix(0);
      prefix_seconds_ = timer.seconds();
    }
    seconds(o.slots, o.caption_tokens);  // warms up
    seconds(o.slots, 1);
  }

  // Of so many captions of so many tokens, each with new_tokens more.
  double seconds(int captions, int caption_tokens) {
    const auto caption = random_tokens(caption_tokens, model_.config().vocabulary, 1);
    int given = 0, own = -1;
    const Timer timer;
    generator_.run(
        [&]() -> std::optional<GenerationRequest> {
          if (own >= 0) generator_.drop_prefix(own);
          own = -1;
          if (given == captions) return std::nullopt;
          if (shared_ < 0) own = generator_.add_prefix(prefix(uint64_t(given)));
          return GenerationRequest{uint64_t(given++), shared_ < 0 ? own : shared_, caption};
        },
        [](Generation) { return true; });
    return timer.seconds();
  }
  // A step of all slots: with captions of one token every step has a row of each slot, and there are as many
  // steps as new tokens.
  double step_seconds() { return seconds(o_.slots, 1) / o_.new_tokens; }
  // The operations of a step, in the middle of a text.
  double step_flops() const {
    const LlamaConfig& c = model_.config();
    const double C = double(c.width), L = double(c.layers);
    const double matrices = L * (C * double(c.qkv_width()) + C * C + 3 * C * double(c.mlp_width)) +
                            C * double(c.vocabulary);
    const double length = o_.prefix_tokens + 1 + o_.new_tokens / 2.0;
    return 2 * o_.slots * (matrices + L * 2 * C * length);
  }
  double prefix_seconds() const { return prefix_seconds_; }
  int64_t parameters() const { return model_.parameters().elements(); }

 private:
  static GeneratorOptions generator_options(const DecodeBenchOptions& o) {
    GeneratorOptions options;
    options.slots = o.slots;
    options.max_rows = std::max(512, 4 * o.slots);
    options.max_own_tokens = o.caption_tokens + o.new_tokens;
    options.max_prefix_tokens = o.prefix_tokens;
    options.max_new_tokens = o.new_tokens;
    options.temperature = 0.9f;
    options.top_p = 0.95f;
    return options;
  }
  void draw_weights() {
    Stream stream(o_.device);
    Noise(stream).fill(model_.parameters());
  }
  std::vector<int32_t> prefix(uint64_t seed) const {
    return random_tokens(o_.prefix_tokens, model_.config().vocabulary, 2 + seed);
  }
  int add_prefix(uint64_t seed) {
    const int added = generator_.add_prefix(prefix(seed));
    generator_.compute_prefixes();
    return added;
  }

  const DecodeBenchOptions& o_;
  Llama model_;
  LlamaGenerator generator_;  // one, whose recorded steps are there when it is measured
  int shared_ = -1;
  double prefix_seconds_ = 0;
};

}  // namespace

Json bench_decode(const DecodeBenchOptions& o, double peak) {
  Rewriting rewriting(o);
  const int count = o.captions > 0 ? o.captions : o.slots;
  const bool shared = o.prefixes == DecodeBenchOptions::Prefixes::shared;
  std::vector<double> steps, wholes;
  for (int i = 0; i < o.repeats; ++i) {
    if (shared) steps.push_back(rewriting.step_seconds());
    wholes.push_back(rewriting.seconds(count, o.caption_tokens));
  }
  const double captions = count / median(wholes);
  Json row = {{"bench", "rewriting"},
              {"parameters", rewriting.parameters()},
              {"slots", o.slots},
              {"prefixes", shared ? "shared" : "each"},
              {"prefix_tokens", o.prefix_tokens},
              {"caption_tokens", o.caption_tokens},
              {"new_tokens", o.new_tokens},
              {"captions", count},
              {"captions_per_second", captions}};
  log_info("LLaMA of {:.3g}B in bf16, {} slots, prefixes of {} ({}): {:.1f} captions/s",
           double(rewriting.parameters()) / 1e9, o.slots, o.prefix_tokens,
           row["prefixes"].get<std::string>(), captions);
  if (!shared) return row;
  const double step = median(steps), rate = rewriting.step_flops() / step / 1e9;
  log_info("a step of all slots: {:.1f} ms, {:.0f} tokens/s, {:.0f} GFLOP/s = {:.0f} % of {:.0f}",
           1e3 * step, o.slots / step, rate, 100 * rate / peak, peak);
  row["prefix_seconds"] = rewriting.prefix_seconds();
  row["seconds_per_step"] = step;
  row["tokens_per_second"] = o.slots / step;
  row["gflops"] = rate;
  row["peak_gflops"] = peak;
  row["fraction"] = rate / peak;
  return row;
}

}  // namespace laclip

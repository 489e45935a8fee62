#include "apps/bench/decode_bench.h"

#include <algorithm>

#include "apps/bench/median.h"
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
      : o_(o), model_(config_of(o), DType::bf16, Training::no, o.device) {
    model_.parameters().initialize(0);
  }

  // Seconds for so many captions that share a prefix, each with `new_tokens` more; without the
  // prefix, whose time goes to prefix_seconds().
  double seconds(int captions, int new_tokens) {
    const int64_t V = model_.config().vocabulary;
    GeneratorOptions options;
    options.slots = o_.slots;
    options.max_rows = std::max(512, 4 * o_.slots);
    options.max_own_tokens = o_.caption_tokens + new_tokens;
    options.max_prefix_tokens = o_.prefix_tokens;
    options.prefixes = 1;
    options.max_new_tokens = new_tokens;
    options.temperature = 0.9f;
    options.top_p = 0.95f;
    LlamaGenerator generator(model_, options);
    Timer timer;
    const int shared = generator.add_prefix(random_tokens(o_.prefix_tokens, V, 0));
    generator.compute_prefixes();
    prefix_seconds_ = timer.seconds();
    const auto caption = random_tokens(o_.caption_tokens, V, 1);
    int given = 0;
    timer.restart();
    generator.run(
        [&]() -> std::optional<GenerationRequest> {
          if (given == captions) return std::nullopt;
          return GenerationRequest{uint64_t(given++), shared, caption};
        },
        [](Generation) { return true; });
    return timer.seconds();
  }
  // A step of all slots: what more new tokens take than fewer.
  double step_seconds() {
    constexpr int kFew = 4, kMany = 16;
    const double few = seconds(o_.slots, kFew);
    return (seconds(o_.slots, kMany) - few) / (kMany - kFew);
  }
  // The operations of a step, in the middle of a text.
  double step_flops() const {
    const LlamaConfig& c = model_.config();
    const double C = double(c.width), L = double(c.layers);
    const double matrices = L * (C * double(c.qkv_width()) + C * C + 3 * C * double(c.mlp_width)) +
                            C * double(c.vocabulary);
    const double length = o_.prefix_tokens + o_.caption_tokens + o_.new_tokens / 2.0;
    return 2 * o_.slots * (matrices + L * 2 * C * length);
  }
  double prefix_seconds() const { return prefix_seconds_; }
  int64_t parameters() const { return model_.parameters().elements(); }

 private:
  const DecodeBenchOptions& o_;
  Llama model_;
  double prefix_seconds_ = 0;
};

}  // namespace

Json bench_decode(const DecodeBenchOptions& o) {
  Rewriting rewriting(o);
  const int count = o.captions > 0 ? o.captions : o.slots;
  std::vector<double> steps, wholes;
  for (int i = 0; i < std::max(1, o.repeats / 2); ++i) {
    steps.push_back(rewriting.step_seconds());
    wholes.push_back(rewriting.seconds(count, o.new_tokens));
  }
  const double step = median(steps), rate = rewriting.step_flops() / step / 1e9;
  const double captions = count / median(wholes);
  log_info("LLaMA of {:.3g}B, bf16, {} slots, prefix of {} in {:.2f} s",
           double(rewriting.parameters()) / 1e9, o.slots, o.prefix_tokens,
           rewriting.prefix_seconds());
  log_info("a decode step: {:.1f} ms, {:.0f} tokens/s, {:.0f} GFLOP/s = {:.0f} % of {:.0f}",
           1e3 * step, o.slots / step, rate, 100 * rate / o.peak_gflops, o.peak_gflops);
  log_info("rewriting: {:.1f} captions/s ({} of {} tokens, {} new ones each)", captions, count,
           o.caption_tokens, o.new_tokens);
  return {{"bench", "rewriting"},
          {"parameters", rewriting.parameters()},
          {"slots", o.slots},
          {"prefix_tokens", o.prefix_tokens},
          {"caption_tokens", o.caption_tokens},
          {"new_tokens", o.new_tokens},
          {"captions", count},
          {"captions_per_second", captions},
          {"seconds_per_step", step},
          {"tokens_per_second", o.slots / step},
          {"gflops", rate},
          {"peak_gflops", o.peak_gflops},
          {"fraction", rate / o.peak_gflops}};
}

}  // namespace laclip

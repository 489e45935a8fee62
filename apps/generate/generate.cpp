// laclip generate: continues prompts with a LLaMA model.
#include <fmt/core.h>

#include <memory>

#include "apps/command.h"
#include "apps/models.h"
#include "base/check.h"
#include "base/json.h"
#include "models/llama_generator.h"

namespace laclip {
namespace {

struct GenerateOptions {
  std::string model, tokenizer, prompt, prompts, logits, precision = "auto", device = "auto";
  float temperature = 0, top_p = 1;
  int max_new_tokens = 64, slots = 64;
  uint64_t seed = 0;
};

std::vector<int32_t> with_begin(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> ids = tokenizer.encode(text);
  ids.insert(ids.begin(), *tokenizer.begin_token());
  return ids;
}

void write_logits(LlamaGenerator& generator, const std::vector<int32_t>& ids,
                  const fs::path& path) {
  const std::vector<float> logits = generator.prompt_logits(ids);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(logits)));
  file.commit();
}

void generate(const GenerateOptions& o) {
  if (o.prompt.empty() == o.prompts.empty() && !o.prompts.empty())
    fail_usage("--prompt and --prompts exclude each other");
  std::vector<std::string> prompts{o.prompt};
  if (!o.prompts.empty()) {
    prompts.clear();
    int64_t number = 0;
    for (const std::string& line : read_lines(o.prompts)) {
      const std::string place = fmt::format("{}:{}", o.prompts, ++number);
      const Json value = parse_json(line, place);
      check(value.is_string(), "{}: one JSON string a line is needed", place);
      prompts.push_back(value.get<std::string>());
    }
    check(!prompts.empty(), "{}: no prompts in it", o.prompts);
  }
  const std::string precision = settled_precision(o.precision, parse_device(o.device));
  const LlamaAndTokenizer llama = open_llama(o.model, o.tokenizer, precision, o.device);
  const auto& model = llama.model;
  const auto& tokenizer = llama.tokenizer;
  std::vector<std::vector<int32_t>> ids;
  size_t longest = 0;
  for (const std::string& prompt : prompts) {
    ids.push_back(with_begin(*tokenizer, prompt));
    longest = std::max(longest, ids.back().size());
  }
  const int64_t needed = int64_t(longest) + o.max_new_tokens;
  check(needed <= model->config().max_length,
        "{} prompt tokens and {} new ones are more than the {} "
        "positions of the model; use a smaller --max-new-tokens",
        longest, o.max_new_tokens, model->config().max_length);

  GeneratorOptions options;
  options.slots = std::min(o.slots, int(prompts.size()));
  options.max_rows = std::max(options.slots, 512);
  options.max_own_tokens = int(needed);
  options.max_prefix_tokens = 0;
  options.max_new_tokens = o.max_new_tokens;
  options.temperature = o.temperature;
  options.top_p = o.top_p;
  options.seed = o.seed;
  options.stop_tokens = llama.end_tokens();
  LlamaGenerator generator(*model, options);
  if (!o.logits.empty()) write_logits(generator, ids[0], o.logits);

  std::vector<std::string> texts(prompts.size());
  size_t given = 0;
  generator.run(
      [&]() -> std::optional<GenerationRequest> {
        if (given == ids.size()) return std::nullopt;
        GenerationRequest request{given, -1, ids[given]};
        ++given;
        return request;
      },
      [&](Generation result) {
        texts[result.key] = tokenizer->decode_continuation(ids[result.key], result.tokens);
        return true;
      });
  for (const std::string& text : texts) {
    fmt::print("{}\n", o.prompts.empty() ? text : Json(text).dump());
  }
}

}  // namespace

void add_generate_command(Program& program) {
  Command command = program.add_command("generate", "continue prompts with a LLaMA model");
  auto o = std::make_shared<GenerateOptions>();
  command.add_option("-m,--model", o->model, "Hugging Face folder or llama2.c file").required();
  command.add_option("--tokenizer", o->tokenizer, "tokenizer.model or tokenizer.bin").required();
  command.add_option("-p,--prompt", o->prompt, "text to continue (empty: from nothing)");
  command.add_option("--prompts", o->prompts,
                     "file with one JSON string a line; prints one a line");
  command.add_option("--temperature", o->temperature, "0 = the likeliest token")
      .check(kNotNegative);
  command.add_option("--top-p", o->top_p, "nucleus").within(1e-6, 1.0);
  command.add_option("-n,--max-new-tokens", o->max_new_tokens, "tokens at most").check(kPositive);
  command.add_option("--slots", o->slots, "texts at once").check(kPositive);
  command.add_option("--seed", o->seed, "of the sampling").check(kNotNegative);
  add_precision_option(command, o->precision);
  add_device_option(command, o->device);
  command.add_option("--logits", o->logits,
                     "write the logits at the first prompt's positions, float32 [T V]");
  command.callback([o] { generate(*o); });
}

}  // namespace laclip

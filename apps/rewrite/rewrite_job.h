// A job of `laclip rewrite`: captions in the order of their examples, through the generator, into the
// log.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/models.h"
#include "apps/rewrite/caption_order.h"
#include "base/progress.h"
#include "data/caption_table.h"
#include "data/rewrite_log.h"
#include "kernels/core/profile.h"
#include "models/llama_generator.h"

namespace laclip {

struct RewriteOptions {
  std::string model, tokenizer, captions, output, mode = "chatgpt", pairs, shard = "1/1";
  CaptionTableOptions table;
  std::string precision = "bf16", device = "auto";
  uint64_t example_sets = 0, seed = 0;
  float temperature = 0.9f, top_p = 0.95f;
  int max_new_tokens = 77, max_seq_len = 512;
  std::string batch_size = "auto";
  size_t limit = 0;
  bool print_prompts = false, profile = false;
};

class RewriteJob {
 public:
  // Everything is opened and checked before the log: what cannot work leaves no file behind.
  RewriteJob(const RewriteOptions& o, CaptionTable table, ShardRange range);

  void run();
  // Records by flag; see RewriteLog.
  const auto& tally() const { return log_.tally(); }
  int slots() const { return generator_options_.slots; }
  bool finished() const { return log_.finished(); }
  // All that decides the output; a resumed job must agree with it.
  const Json& settings() const { return settings_; }

 private:
  Json make_settings() const;
  GeneratorOptions generator_options() const;
  void fit_memory(GeneratorOptions& options) const;
  int usual_query() const;
  void tell_profile(double seconds) const;
  std::optional<GenerationRequest> next();
  void write(const Generation& result);
  void keep_original(size_t index, const std::string& flag);
  void add_record(size_t index, std::string text, int64_t tokens, double log_probability,
                  Json flags);

  const RewriteOptions& o_;
  CaptionTable table_;
  ShardRange range_;
  RewriteMode mode_;
  LlamaAndTokenizer llama_;
  PromptPlan plan_;
  CaptionOrder order_;
  GeneratorOptions generator_options_;
  LlamaGenerator generator_;
  Json settings_;
  RewriteLog log_;
  Progress progress_;
  OpProfile profile_;
  size_t at_ = 0;                                   // in the order
  int prefix_ = -1;                                 // of the captions that are asked for
  PromptPlan::Triple triple_{};                     // its examples
  std::map<size_t, std::vector<int32_t>> queries_;  // of the captions under way
};

// Error that names the cure if a generator would take more than what is free.
void check_generator_memory(int64_t bytes, int64_t free, const GeneratorOptions& options);

}  // namespace laclip

// Generates from many prompts at once, for throughput.
//
// A prompt is a prefix, whose keys and values are computed once and shared by all requests that
// name it, and the request's own tokens. A fixed number of slots decode; a finished slot takes the
// next request at once, and the own tokens of new requests run through the model together with the
// decode steps of the others. What a request yields depends on its key and the seed only, not on
// slots, order or neighbours.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "models/llama.h"

namespace laclip {

struct GeneratorOptions {
  int slots = 64;
  int max_rows = 512;        // rows of one forward call: decode steps and prompt tokens
  int max_own_tokens = 256;  // of a request: its own prompt tokens and the new ones
  int max_prefix_tokens = 512;
  int max_new_tokens = 77;
  float temperature = 0, top_p = 1;
  uint64_t seed = 0;
  std::vector<bool> stop_tokens;  // [V] or empty: tokens that end a text and are not part of it
};

struct GenerationRequest {
  uint64_t key = 0;  // of its random numbers
  int prefix = -1;   // from add_prefix, or -1
  std::vector<int32_t> tokens;
};

struct Generation {
  enum class Finish { stop, length, too_long };
  uint64_t key = 0;
  std::vector<int32_t> tokens;
  double log_probability = 0;  // sum over the new tokens, the stop token included
  Finish finish = Finish::stop;
};

class LlamaGenerator {
 public:
  LlamaGenerator(const Llama& model, GeneratorOptions options);

  // Computes a prefix and returns its number. It lives until drop_prefix() and the last request
  // that uses it. Error if it is longer than max_prefix_tokens.
  int add_prefix(const std::vector<int32_t>& tokens);
  void drop_prefix(int prefix);

  // Takes requests from `next`, some before slots are free, until it gives none and all are finished;
  // each finished one goes to `done`, in any order. Both are called while the device works, so that it
  // need not wait for them. `next` may call add_prefix and drop_prefix. Stops early, dropping what is
  // unfinished, when `done` returns false.
  using Next = std::function<std::optional<GenerationRequest>()>;
  using Done = std::function<bool(Generation)>;
  void run(const Next& next, const Done& done);

  // Logits of all positions of one prompt, [T V] in rows.
  std::vector<float> prompt_logits(const std::vector<int32_t>& tokens);

  void synchronize() { stream_.synchronize(); }  // waits for what is under way (a prefix)

  int64_t tokens_generated() const { return tokens_generated_; }
  int64_t graph_launches() const { return graphs_.launches(); }  // forward calls by a CUDA graph

 private:
  struct Prefix {
    int32_t begin, count;
    int users;
  };
  struct Slot {
    bool busy = false;
    int32_t begin = 0;  // of its range in the pool
    int prefix = -1;
    std::vector<int32_t> tokens;  // own: prompt, then new ones
    size_t prompt = 0, fed = 0;   // tokens of the prompt; tokens that went through the model
    Generation result;
  };

  struct Queues {                           // of a run
    bool more = true;                       // `next` may have more requests
    std::deque<GenerationRequest> waiting;  // for a slot; each holds its prefix
    std::vector<Generation> finished;       // `done` has not got them
  };

  void release(int prefix);
  int32_t place_prefix() const;
  void fetch(Queues& queues, const Next& next, size_t count);
  bool start(Slot& slot, GenerationRequest request);
  void fill_slots(Queues& queues, const Next& next);
  void gather_rows(std::vector<Slot*>& order, std::vector<Slot*>& sampled);
  void fill_up();
  void forward();
  void sample_rows(const std::vector<Slot*>& sampled);
  void take_samples(const std::vector<Slot*>& sampled, Queues& queues);
  bool accept(Slot& slot, int32_t token, float log_probability);

  const Llama& model_;
  GeneratorOptions options_;
  int ahead_;  // requests that wait for a slot
  KvPool pool_;
  Arena arena_;
  Stream stream_;
  Graphs graphs_{stream_};
  Buffer logits_, sampled_;  // [slots V]; tokens, log-probabilities, uniforms [3 slots]
  LlamaRows rows_;
  std::vector<Slot> slots_;
  std::map<int, Prefix> prefixes_;
  int next_prefix_ = 0;
  int32_t spare_;        // the pool's place behind the slots, for rows that nobody needs
  int32_t prefix_area_;  // its first place behind that one
  std::vector<int32_t> picked_;
  std::vector<float> uniforms_, log_probabilities_;
  int64_t tokens_generated_ = 0;
};

}  // namespace laclip

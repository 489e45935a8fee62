// Generates from many prompts at once, for throughput.
//
// A prompt is a prefix, whose keys and values are computed once and shared by all requests that
// name it, and the request's own tokens. A fixed number of slots decode; a finished slot takes the
// next request at once. The tokens of prefixes and the own tokens of new requests are rows of the
// same forward calls as the decode steps of the others. What a request yields depends on its key and
// the seed only, not on slots, order, neighbours or the room in the pool.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "models/llama.h"
#include "models/token_ranges.h"

namespace laclip {

struct GeneratorOptions {
  int slots = 64;
  int max_rows = 512;           // rows of one forward call: decode steps and prompt tokens
  int max_own_tokens = 256;     // of a request: its own prompt tokens and the new ones
  int usual_own_tokens = 0;     // the pool has room for so many a slot; 0: for max_own_tokens
  int max_prefix_tokens = 512;  // of a prefix
  int prefixes = 0;             // of the greatest length that the pool holds; 0: one a request
  int max_new_tokens = 77;
  float temperature = 0, top_p = 1;
  uint64_t seed = 0;
  // On a CPU: faster, but the linear weights take their memory twice.
  bool keep_packed_weights = true;
  std::vector<bool> stop_tokens;  // [V] or empty: tokens that end a text and are not part of it

  int ahead() const { return 2 + slots / 8; }  // requests that wait for a slot
  int requests() const { return slots + ahead(); }
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

// Bytes of the device that a generator takes.
struct GeneratorMemory {
  int64_t pool = 0;  // keys and values
  int64_t activations = 0, logits = 0;
  int64_t packed_weights = 0;  // the copy that a CPU's GEMM reads
  int64_t total() const { return pool + activations + logits + packed_weights; }
};

class LlamaGenerator {
 public:
  LlamaGenerator(const Llama& model, GeneratorOptions options);

  // Before anything is allocated.
  static GeneratorMemory memory(const Llama& model, const GeneratorOptions& options);
  // Places of the pool: slots at the usual length and one at the greatest, prefixes, one to spare.
  static int64_t pool_tokens(const GeneratorOptions& options);

  // Takes a prefix and returns its number; run() computes it before the first request that names it.
  // It lives until drop_prefix() and the last such request. Error if it is longer than
  // max_prefix_tokens.
  int add_prefix(std::vector<int32_t> tokens);
  void drop_prefix(int prefix);
  // Computes all that were added, and waits for them. Error if the pool cannot hold them.
  void compute_prefixes();

  // Takes requests from `next`, some before slots are free, until it gives none and all are finished;
  // each finished one goes to `done`, in any order. Both are called while the device works, so that it
  // need not wait for them. `next` may call add_prefix and drop_prefix. A request waits for a slot, for
  // its prefix and for room in the pool. Stops early, dropping what is unfinished, when `done` returns
  // false.
  using Next = std::function<std::optional<GenerationRequest>()>;
  using Done = std::function<bool(Generation)>;
  void run(const Next& next, const Done& done);

  // Logits of all positions of one prompt, [T V] in rows.
  std::vector<float> prompt_logits(const std::vector<int32_t>& tokens);

  Stream& stream() { return stream_; }
  int64_t tokens_generated() const { return tokens_generated_; }
  int64_t prefixes_computed() const { return prefixes_computed_; }
  int64_t forward_calls() const { return forward_calls_; }
  int64_t graph_launches() const { return graphs_.launches(); }  // forward calls by a CUDA graph

 private:
  struct Prefix {
    std::vector<int32_t> tokens;
    int users = 1;
    int32_t begin = -1, fed = 0;  // its range in the pool, if it has one; tokens that have a row
    int32_t count() const { return int32_t(tokens.size()); }
  };
  struct Slot {
    bool busy = false;
    int32_t begin = 0, room = 0;  // its range in the pool
    int prefix = -1;
    std::vector<int32_t> tokens;  // own: prompt, then new ones
    size_t fed = 0;               // tokens that have a row
    int64_t rows = 0;             // of the next forward call
    Generation result;
  };

  struct Queues {                           // of a run
    bool more = true;                       // `next` may have more requests
    std::deque<GenerationRequest> waiting;  // for a slot; each holds its prefix
    std::vector<Generation> finished;       // `done` has not got them
  };

  void release(int prefix);
  void fetch(Queues& queues, const Next& next, size_t count);
  bool too_long(const GenerationRequest& request) const;
  [[noreturn]] void fail_for_room() const;
  void stop(Slot& slot);
  void gather_rows(Queues& queues);
  int64_t give_rows(Slot& slot, int64_t spare) const;
  int64_t gather_prefix_rows(int64_t spare);
  void fill_slots(Queues& queues, int64_t spare);
  void fill_up();
  void forward();
  void sample_rows();
  void take_samples(Queues& queues);
  bool accept(Slot& slot, int32_t token, float log_probability);

  const Llama& model_;
  GeneratorOptions options_;
  KvPool pool_;
  TokenRanges own_area_, prefix_area_;
  Arena arena_;
  Stream stream_;
  Graphs graphs_{stream_};
  Buffer logits_, sampled_;  // [slots V]; tokens, log-probabilities, uniforms [3 slots]
  LlamaRows rows_;
  std::vector<Slot> slots_;
  std::vector<Slot*> busy_, sampled_slots_;  // that have rows in a call; whose last row is wanted
  std::map<int, Prefix> prefixes_;
  std::deque<int> pending_;  // prefixes with tokens that have no row yet
  int next_prefix_ = 0;
  int32_t spare_;  // the pool's last place, for rows that nobody needs
  std::vector<int32_t> picked_;
  std::vector<float> uniforms_, log_probabilities_;
  int64_t tokens_generated_ = 0, prefixes_computed_ = 0, forward_calls_ = 0;
};

}  // namespace laclip

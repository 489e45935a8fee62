#include "models/llama_generator.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/philox.h"
#include "kernels/ops/sampling.h"

namespace laclip {
namespace {

int64_t own_places(const GeneratorOptions& o) {
  const int64_t usual = o.usual_own_tokens > 0 ? o.usual_own_tokens : o.max_own_tokens;
  return (o.slots - 1) * usual + o.max_own_tokens;
}

// All matrices, but that of the token embedding only if it makes the logits, too.
int64_t linear_weight_bytes(const Llama& model) {
  int64_t bytes = 0;
  for (const Parameter& p : model.parameters().list())
    if (p.shape.rank == 2 && (model.config().tied || p.name != "model.embed_tokens.weight"))
      bytes += p.value.bytes();
  return bytes;
}

// Before anything is made of them.
GeneratorOptions checked(GeneratorOptions o) {
  check(o.slots > 0 && o.max_rows >= o.slots,
        "a generator needs at least one slot, and rows for all slots ({} slots, {} rows)", o.slots,
        o.max_rows);
  check(LlamaGenerator::pool_tokens(o) <= std::numeric_limits<int32_t>::max(),
        "a pool of {} tokens for {} slots is more than a row can name; use fewer",
        LlamaGenerator::pool_tokens(o), o.slots);
  return o;
}

}  // namespace

int64_t LlamaGenerator::pool_tokens(const GeneratorOptions& o) {
  const int64_t prefixes = o.prefixes > 0 ? o.prefixes : o.requests();
  return own_places(o) + prefixes * o.max_prefix_tokens + 1;
}

GeneratorMemory LlamaGenerator::memory(const Llama& model, const GeneratorOptions& o) {
  return {KvPool::bytes(model.config(), pool_tokens(o), model.dtype()),
          model.plan(o.max_rows, o.slots), 4 * o.slots * (model.config().vocabulary + 3),
          model.device() == Device::cpu && o.keep_packed_weights ? linear_weight_bytes(model) : 0};
}

LlamaGenerator::LlamaGenerator(const Llama& model, GeneratorOptions options)
    : model_(model),
      options_(checked(std::move(options))),
      pool_(model.config(), pool_tokens(options_), model.dtype(), model.device()),
      own_area_(0, int32_t(own_places(options_))),
      prefix_area_(int32_t(own_places(options_)), int32_t(pool_.tokens() - 1)),
      arena_("activations", model.plan(options_.max_rows, options_.slots), model.device()),
      stream_(model.device()),
      logits_("logits", 4 * options_.slots * model.config().vocabulary, model.device()),
      sampled_("sampled tokens", 12 * int64_t(options_.slots), model.device()),
      slots_(size_t(options_.slots)),
      spare_(int32_t(pool_.tokens() - 1)) {
  stream_.batch_invariant = true;  // a text does not depend on its neighbours
  stream_.constant_weights = options_.keep_packed_weights;
  const int64_t longest = int64_t(options_.max_prefix_tokens) + options_.max_own_tokens;
  check(longest <= model.config().max_length,
        "prefixes of {} and texts of {} tokens do not fit the "
        "{} positions of the model",
        options_.max_prefix_tokens, options_.max_own_tokens, model.config().max_length);
}

int LlamaGenerator::add_prefix(std::vector<int32_t> tokens) {
  check(!tokens.empty() && int64_t(tokens.size()) <= options_.max_prefix_tokens,
        "a prefix of {} tokens; between 1 and {} "
        "are possible",
        tokens.size(), options_.max_prefix_tokens);
  prefixes_[next_prefix_].tokens = std::move(tokens);
  pending_.push_back(next_prefix_);
  return next_prefix_++;
}

void LlamaGenerator::drop_prefix(int prefix) { release(prefix); }

// What the device was given before still reads the range; what takes it comes later in the stream.
void LlamaGenerator::release(int number) {
  const auto found = prefixes_.find(number);
  if (found == prefixes_.end() || --found->second.users > 0) return;
  const Prefix& prefix = found->second;
  if (prefix.begin >= 0) prefix_area_.give_back(prefix.begin, prefix.count());
  prefixes_.erase(found);
}

void LlamaGenerator::compute_prefixes() {
  while (!pending_.empty()) {
    rows_.clear();
    gather_prefix_rows(options_.max_rows);
    if (rows_.count() > 0)
      forward();
    else if (!pending_.empty())
      fail_for_room();
  }
  stream_.synchronize();
}

void LlamaGenerator::fail_for_room() const {
  const auto placed = std::count_if(prefixes_.begin(), prefixes_.end(),
                                    [](const auto& entry) { return entry.second.begin >= 0; });
  fail("no room for another prefix beside {}; drop prefixes that are not used any more", placed);
}

// A GPU works by tiles of rows, and few different numbers of them make few graphs: rows that nobody
// needs fill up to a multiple.
void LlamaGenerator::fill_up() {
  if (model_.device() == Device::cpu) return;
  const int64_t unit = std::min(16, options_.slots);
  while (rows_.count() % unit != 0 && rows_.count() < options_.max_rows)
    rows_.add(0, 0, 0, spare_, 0);
  const auto wanted = [&] { return int64_t(rows_.wanted.size()); };
  while (wanted() % unit != 0 && wanted() < options_.slots) rows_.wanted.push_back(0);
}

void LlamaGenerator::forward() {
  fill_up();
  ++forward_calls_;
  Step step{stream_, arena_, model_.dtype()};
  const int64_t R = int64_t(rows_.wanted.size());
  model_.forward(step, rows_, pool_,
                 R > 0 ? Out(logits_.tensor({R, model_.config().vocabulary}, DType::f32))
                       : Out(none),
                 &graphs_);
}

// Until so many wait or there are no more. A waiting request is a user of its prefix, which `next` may
// drop before a slot is free.
void LlamaGenerator::fetch(Queues& queues, const Next& next, size_t count) {
  while (queues.more && queues.waiting.size() < count) {
    auto request = next();
    queues.more = request.has_value();
    if (!request) return;
    if (too_long(*request)) {
      queues.finished.push_back({request->key, {}, 0, Generation::Finish::too_long});
      continue;
    }
    if (request->prefix >= 0) {
      check(prefixes_.count(request->prefix) > 0, "prefix {} was dropped before its request",
            request->prefix);
      ++prefixes_[request->prefix].users;
    }
    queues.waiting.push_back(std::move(*request));
  }
}

bool LlamaGenerator::too_long(const GenerationRequest& request) const {
  return request.tokens.empty() ||
         int64_t(request.tokens.size()) + options_.max_new_tokens > options_.max_own_tokens;
}

void LlamaGenerator::stop(Slot& slot) {
  slot.busy = false;
  own_area_.give_back(slot.begin, slot.room);
  release(slot.prefix);
}

// The rows of the next call. Every busy slot gets one. Then prompts that are under way, prefixes and
// new requests share what max_rows leaves, so that work that was begun ends first. Rows of one prefix
// are neighbours.
void LlamaGenerator::gather_rows(Queues& queues) {
  rows_.clear();
  sampled_slots_.clear();
  busy_.clear();
  for (Slot& slot : slots_)
    if (slot.busy) busy_.push_back(&slot);
  int64_t spare = options_.max_rows - int64_t(busy_.size());
  for (Slot* slot : busy_) spare = give_rows(*slot, spare + 1);
  spare = gather_prefix_rows(spare);
  fill_slots(queues, spare);
  std::sort(busy_.begin(), busy_.end(), [](const Slot* a, const Slot* b) {
    return std::pair(a->prefix, a->begin) < std::pair(b->prefix, b->begin);
  });
  for (Slot* slot : busy_) {
    const Prefix* prefix = slot->prefix >= 0 ? &prefixes_.at(slot->prefix) : nullptr;
    const int32_t begin = prefix ? prefix->begin : 0, count = prefix ? prefix->count() : 0;
    for (int64_t i = 0; i < slot->rows; ++i, ++slot->fed)
      rows_.add(slot->tokens[slot->fed], begin, count, slot->begin, int32_t(slot->fed));
    if (slot->fed < slot->tokens.size()) continue;
    rows_.wanted.push_back(int32_t(rows_.count() - 1));
    sampled_slots_.push_back(slot);
  }
}

// Returns what is left of `spare`.
int64_t LlamaGenerator::give_rows(Slot& slot, int64_t spare) const {
  slot.rows = std::min(int64_t(slot.tokens.size() - slot.fed), spare);
  return spare - slot.rows;
}

// In the order in which they were added, and the first that finds no room in the pool lets the others
// wait: so the prefix of the request that comes first is there first.
int64_t LlamaGenerator::gather_prefix_rows(int64_t spare) {
  for (; !pending_.empty() && spare > 0; pending_.pop_front()) {
    const auto found = prefixes_.find(pending_.front());
    if (found == prefixes_.end()) continue;  // dropped
    Prefix& prefix = found->second;
    if (prefix.begin < 0) {
      const auto place = prefix_area_.take(prefix.count());
      if (!place) break;
      prefix.begin = *place;
    }
    for (; prefix.fed < prefix.count() && spare > 0; ++prefix.fed, --spare)
      rows_.add(prefix.tokens[size_t(prefix.fed)], 0, 0, prefix.begin, prefix.fed);
    if (prefix.fed < prefix.count()) break;
    ++prefixes_computed_;
  }
  return spare;
}

// Free slots take the requests that wait, in their order. A prefix may get its last rows in the same
// call: a layer stores the keys and values of all rows before any row attends.
void LlamaGenerator::fill_slots(Queues& queues, int64_t spare) {
  for (Slot& slot : slots_) {
    if (queues.waiting.empty() || spare == 0) return;
    if (slot.busy) continue;
    GenerationRequest& request = queues.waiting.front();
    if (request.prefix >= 0) {
      const Prefix& prefix = prefixes_.at(request.prefix);
      if (prefix.fed < prefix.count()) return;
    }
    const int32_t room = int32_t(request.tokens.size()) + options_.max_new_tokens;
    const auto place = own_area_.take(room);
    if (!place) return;
    slot = {true, *place, room, request.prefix, std::move(request.tokens), 0, 0, {}};
    slot.result.key = request.key;
    queues.waiting.pop_front();
    spare = give_rows(slot, spare);
    busy_.push_back(&slot);
  }
}

void LlamaGenerator::sample_rows() {
  const int64_t R = int64_t(sampled_slots_.size());
  if (R == 0) return;
  uniforms_.clear();
  for (const Slot* slot : sampled_slots_)
    uniforms_.push_back(Random(options_.seed, RandomUse::token_sampling, slot->result.key,
                               uint32_t(slot->result.tokens.size()))
                            .uniform());
  const int64_t slots = options_.slots;
  const Tensor picked = sampled_.tensor({R}, DType::i32);
  const Tensor log_probabilities = sampled_.tensor({R}, DType::f32, 4 * slots);
  const Tensor uniforms = sampled_.tensor({R}, DType::f32, 8 * slots);
  copy(stream_, uniforms, tensor_of(uniforms_));
  sample(stream_, picked, log_probabilities,
         logits_.tensor({R, model_.config().vocabulary}, DType::f32), uniforms,
         {options_.temperature, options_.top_p});
}

// Waits for the device: already the copies do, because their memory on the host is pageable.
void LlamaGenerator::take_samples(Queues& queues) {
  const int64_t R = int64_t(sampled_slots_.size());
  picked_.resize(size_t(R));
  log_probabilities_.resize(size_t(R));
  if (R > 0) {
    copy(stream_, tensor_of(picked_), sampled_.tensor({R}, DType::i32));
    copy(stream_, tensor_of(log_probabilities_),
         sampled_.tensor({R}, DType::f32, 4 * int64_t(options_.slots)));
  }
  stream_.synchronize();
  for (size_t i = 0; i < sampled_slots_.size(); ++i) {
    Slot& slot = *sampled_slots_[i];
    if (accept(slot, picked_[i], log_probabilities_[i])) continue;
    stop(slot);
    queues.finished.push_back(std::move(slot.result));
  }
}

// Takes one new token; true if the text goes on.
bool LlamaGenerator::accept(Slot& slot, int32_t token, float log_probability) {
  ++tokens_generated_;
  slot.result.log_probability += double(log_probability);
  const bool stop =
      size_t(token) < options_.stop_tokens.size() && options_.stop_tokens[size_t(token)];
  if (stop) {
    slot.result.finish = Generation::Finish::stop;
    return false;
  }
  slot.result.tokens.push_back(token);
  slot.tokens.push_back(token);
  slot.result.finish = Generation::Finish::length;
  return int(slot.result.tokens.size()) < options_.max_new_tokens;
}

void LlamaGenerator::run(const Next& next, const Done& done) {
  Queues queues;
  bool going = true;
  const auto deliver = [&] {
    for (Generation& result : queues.finished) going = going && done(std::move(result));
    queues.finished.clear();
  };
  const auto free_slots = [&] {
    return size_t(
        std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.busy; }));
  };
  while (going) {
    fetch(queues, next, free_slots());
    gather_rows(queues);
    if (rows_.count() == 0) {
      deliver();
      if (!queues.waiting.empty()) fail_for_room();
      break;
    }
    forward();
    sample_rows();
    // While the device works:
    deliver();
    if (going) fetch(queues, next, size_t(options_.ahead()));
    take_samples(queues);
  }
  for (Slot& slot : slots_)
    if (slot.busy) stop(slot);
  for (const GenerationRequest& request : queues.waiting) release(request.prefix);
}

std::vector<float> LlamaGenerator::prompt_logits(const std::vector<int32_t>& tokens) {
  const int64_t V = model_.config().vocabulary;
  const auto count = int32_t(tokens.size());
  check(count > 0 && count <= options_.max_own_tokens,
        "a prompt of {} tokens; between 1 and {} are "
        "possible",
        count, options_.max_own_tokens);
  std::vector<float> all;
  const int32_t place = own_area_.take(count).value();
  for (int32_t begin = 0; begin < count; begin += options_.slots) {
    const int32_t rows = std::min(count - begin, options_.slots);
    rows_.clear();
    for (int32_t i = 0; i < rows; ++i) {
      rows_.add(tokens[size_t(begin + i)], 0, 0, place, begin + i);
      rows_.wanted.push_back(i);
    }
    forward();
    stream_.synchronize();
    const HostCopy copied(logits_.tensor({rows, V}, DType::f32));
    const float* logits = copied.tensor().as<float>();
    all.insert(all.end(), logits, logits + rows * V);
  }
  own_area_.give_back(place, count);
  return all;
}

}  // namespace laclip

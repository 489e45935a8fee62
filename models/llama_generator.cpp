#include "models/llama_generator.h"

#include <algorithm>

#include "base/check.h"
#include "base/philox.h"
#include "kernels/ops/sampling.h"

namespace laclip {

LlamaGenerator::LlamaGenerator(const Llama& model, GeneratorOptions options)
    : model_(model),
      options_(std::move(options)),
      ahead_(1 + options_.slots / 16),  // rewrites of 25 tokens: so many or fewer end in a step
      pool_(model.config(),
            int64_t(options_.slots) * options_.max_own_tokens + 1 +
                int64_t(options_.slots + ahead_ + 1) * options_.max_prefix_tokens,
            model.dtype(), model.device()),
      arena_("activations",
             model.plan(options_.max_rows, std::max(options_.slots, options_.max_rows)),
             model.device()),
      stream_(model.device()),
      logits_("logits", 4 * std::max<int64_t>(options_.slots, 1) * model.config().vocabulary,
              model.device()),
      sampled_("sampled tokens", 12 * int64_t(options_.slots), model.device()),
      slots_(size_t(options_.slots)),
      spare_(options_.slots * options_.max_own_tokens),
      prefix_area_(spare_ + 1) {
  stream_.batch_invariant = true;  // a text does not depend on its neighbours
  check(options_.slots > 0 && options_.max_rows >= options_.slots,
        "a generator needs at least one slot, and rows for all slots ({} slots, {} rows)",
        options_.slots, options_.max_rows);
  const int64_t longest = int64_t(options_.max_prefix_tokens) + options_.max_own_tokens;
  check(longest <= model.config().max_length,
        "prefixes of {} and texts of {} tokens do not fit the "
        "{} positions of the model",
        options_.max_prefix_tokens, options_.max_own_tokens, model.config().max_length);
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i].begin = int32_t(i) * options_.max_own_tokens;
}

// Prefixes lie in cells of the largest size, so that any free cell fits.
int32_t LlamaGenerator::place_prefix() const {
  for (int32_t at = prefix_area_; at + options_.max_prefix_tokens <= pool_.tokens();
       at += options_.max_prefix_tokens) {
    const bool taken = std::any_of(prefixes_.begin(), prefixes_.end(),
                                   [at](const auto& entry) { return entry.second.begin == at; });
    if (!taken) return at;
  }
  fail("no room for another prefix beside {}; drop prefixes that are not used any more",
       prefixes_.size());
}

int LlamaGenerator::add_prefix(const std::vector<int32_t>& tokens) {
  const auto count = int32_t(tokens.size());
  check(count > 0 && count <= options_.max_prefix_tokens,
        "a prefix of {} tokens; between 1 and {} "
        "are possible",
        count, options_.max_prefix_tokens);
  const Prefix prefix{place_prefix(), count, 1};
  for (int32_t begin = 0; begin < count; begin += options_.max_rows) {
    rows_.clear();
    for (int32_t i = begin; i < std::min(count, begin + options_.max_rows); ++i)
      rows_.add(tokens[size_t(i)], 0, 0, prefix.begin, i);
    forward();
  }
  prefixes_[next_prefix_] = prefix;
  return next_prefix_++;
}

void LlamaGenerator::drop_prefix(int prefix) { release(prefix); }

void LlamaGenerator::release(int prefix) {
  const auto found = prefixes_.find(prefix);
  if (found != prefixes_.end() && --found->second.users == 0) prefixes_.erase(found);
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
    if (request->prefix >= 0) {
      check(prefixes_.count(request->prefix) > 0, "prefix {} was dropped before its request",
            request->prefix);
      ++prefixes_[request->prefix].users;
    }
    queues.waiting.push_back(std::move(*request));
  }
}

bool LlamaGenerator::start(Slot& slot, GenerationRequest request) {
  slot.result = {};
  slot.result.key = request.key;
  slot.prefix = request.prefix;
  slot.prompt = request.tokens.size();
  slot.fed = 0;
  slot.tokens = std::move(request.tokens);
  slot.busy =
      slot.prompt > 0 && int(slot.prompt) + options_.max_new_tokens <= options_.max_own_tokens;
  if (slot.busy) return true;
  slot.result.finish = Generation::Finish::too_long;
  release(slot.prefix);
  return false;
}

void LlamaGenerator::fill_slots(Queues& queues, const Next& next) {
  for (Slot& slot : slots_)
    while (!slot.busy) {
      fetch(queues, next, 1);
      if (queues.waiting.empty()) return;
      if (!start(slot, std::move(queues.waiting.front())))
        queues.finished.push_back(std::move(slot.result));
      queues.waiting.pop_front();
    }
}

// The next rows of all busy slots, those of one prefix together; `sampled` gets the slots whose
// last row is wanted. Every slot gets one row; prompts share what max_rows leaves.
void LlamaGenerator::gather_rows(std::vector<Slot*>& order, std::vector<Slot*>& sampled) {
  std::stable_sort(order.begin(), order.end(),
                   [](const Slot* a, const Slot* b) { return a->prefix < b->prefix; });
  rows_.clear();
  sampled.clear();
  int64_t spare = options_.max_rows - int64_t(order.size());
  for (Slot* slot : order) {
    const int64_t waiting = int64_t(slot->tokens.size() - slot->fed);
    const int64_t count = std::min(waiting, 1 + spare);
    spare -= count - 1;
    const Prefix prefix = slot->prefix >= 0 ? prefixes_.at(slot->prefix) : Prefix{0, 0, 0};
    for (int64_t i = 0; i < count; ++i, ++slot->fed)
      rows_.add(slot->tokens[slot->fed], prefix.begin, prefix.count, slot->begin,
                int32_t(slot->fed));
    if (slot->fed == slot->tokens.size()) {
      rows_.wanted.push_back(int32_t(rows_.count() - 1));
      sampled.push_back(slot);
    }
  }
}

void LlamaGenerator::sample_rows(const std::vector<Slot*>& sampled) {
  const int64_t R = int64_t(sampled.size());
  if (R == 0) return;
  uniforms_.clear();
  for (const Slot* slot : sampled)
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
void LlamaGenerator::take_samples(const std::vector<Slot*>& sampled, Queues& queues) {
  const int64_t R = int64_t(sampled.size());
  picked_.resize(size_t(R));
  log_probabilities_.resize(size_t(R));
  if (R > 0) {
    copy(stream_, tensor_of(picked_), sampled_.tensor({R}, DType::i32));
    copy(stream_, tensor_of(log_probabilities_),
         sampled_.tensor({R}, DType::f32, 4 * int64_t(options_.slots)));
  }
  stream_.synchronize();
  for (size_t i = 0; i < sampled.size(); ++i) {
    Slot& slot = *sampled[i];
    if (accept(slot, picked_[i], log_probabilities_[i])) continue;
    slot.busy = false;
    release(slot.prefix);
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
  std::vector<Slot*> busy, sampled;
  bool going = true;
  const auto deliver = [&] {
    for (Generation& result : queues.finished) going = going && done(std::move(result));
    queues.finished.clear();
  };
  while (going) {
    fill_slots(queues, next);
    busy.clear();
    for (Slot& slot : slots_)
      if (slot.busy) busy.push_back(&slot);
    if (busy.empty()) return deliver();

    gather_rows(busy, sampled);
    forward();
    sample_rows(sampled);
    // While the device works:
    deliver();
    if (going) fetch(queues, next, size_t(ahead_));
    take_samples(sampled, queues);
  }
  for (Slot& slot : slots_)
    if (slot.busy) slot.busy = false, release(slot.prefix);
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
  for (int32_t begin = 0; begin < count; begin += options_.slots) {
    const int32_t rows = std::min(count - begin, options_.slots);
    rows_.clear();
    for (int32_t i = 0; i < rows; ++i) {
      rows_.add(tokens[size_t(begin + i)], 0, 0, slots_[0].begin, begin + i);
      rows_.wanted.push_back(i);
    }
    forward();
    stream_.synchronize();
    const HostCopy copied(logits_.tensor({rows, V}, DType::f32));
    const float* logits = copied.tensor().as<float>();
    all.insert(all.end(), logits, logits + rows * V);
  }
  return all;
}

}  // namespace laclip

#include "models/llama_trainer.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/embedding.h"

namespace laclip {
namespace {

float weight_of(std::span<const LlamaBatch> parts) {
  int64_t counted = 0;
  for (const LlamaBatch& part : parts) counted += part.counted();
  check(counted > 0, "a batch without anything to predict; documents need at least two tokens");
  return float(1.0 / double(counted));
}

}  // namespace

int64_t LlamaBatch::counted() const {
  return std::count_if(targets.begin(), targets.end(), [](int32_t target) { return target >= 0; });
}

void LlamaBatch::add(std::span<const int32_t> document, size_t first_target) {
  for (size_t i = 0; i + 1 < document.size(); ++i) {
    ids.push_back(document[i]);
    targets.push_back(i + 1 >= first_target ? document[i + 1] : -1);
    positions.push_back(int32_t(i));
  }
  offsets.push_back(int32_t(ids.size()));
}

LlamaTrainer::LlamaTrainer(Llama& model, int64_t max_rows)
    : model_(model),
      max_rows_(max_rows),
      stream_(model.device()),
      activation_bytes_(plan(max_rows)),
      arena_("activations", activation_bytes_, model.device()) {}

// One place for each part's loss.
Tensor LlamaTrainer::losses(size_t parts) {
  const auto count = int64_t(parts);
  if (losses_.bytes() < 4 * count) losses_ = Buffer("losses", 4 * count, model_.device());
  return losses_.tensor({count}, DType::f32);
}

void LlamaTrainer::forward(Step& step, const LlamaBatch& batch, float weight, Out loss, Saved& s) {
  check(batch.rows() <= max_rows_, "a batch of {} rows, but memory was planned for {}",
        batch.rows(), max_rows_);
  const Shape rows{batch.rows(), model_.config().width};
  const auto [ids, targets, offsets, positions] =
      step.on_device<4>({&batch.ids, &batch.targets, &batch.offsets, &batch.positions});
  s.ids = ids;
  s.targets = targets;
  const RotarySequences at{offsets, positions, model_.rope_table()};
  Tensor x = step.tensor(rows);
  embedding_forward(step.stream, x, model_.tokens_->value, none, s.ids, none);
  for (const RotaryBlock& block : model_.blocks_) {
    const Tensor y = step.tensor(rows);
    s.blocks.push_back(block.forward(step, x, at, y));
    x = y;
  }
  s.x = x;
  s.normed = step.tensor(rows);
  s.final_norm = model_.final_norm_.forward(step, s.x, s.normed);
  s.lse = step.statistics({batch.rows()});
  cross_entropy_forward(step.stream, loss, s.lse, s.normed, model_.head_->value, s.targets, weight);
}

void LlamaTrainer::backward(Step& step, float weight, const Saved& s) {
  const ArenaScope scope(step.arena);
  Tensor dx = step.tensor(s.x.shape), dy = step.tensor(s.x.shape);
  const Tensor dnormed = step.tensor(s.x.shape);
  cross_entropy_backward(step.stream, dnormed, model_.head_->gradient, s.normed,
                         model_.head_->value, s.targets, s.lse, weight);
  model_.final_norm_.backward(step, s.final_norm, dnormed, s.x, dy);
  for (size_t i = s.blocks.size(); i-- > 0;) {
    model_.blocks_[i].backward(step, s.blocks[i], dy, dx);
    std::swap(dx, dy);
  }
  embedding_backward(step.stream, model_.tokens_->gradient, none, dy, s.ids, none);
}

Gradients LlamaTrainer::compute_gradients(std::span<const LlamaBatch> parts) {
  const float weight = weight_of(parts);
  const Tensor losses = this->losses(parts.size());
  Step step{stream_, arena_, model_.dtype()};
  model_.parameters().zero_gradients(stream_);
  for (size_t i = 0; i < parts.size(); ++i) {
    const ArenaScope scope(arena_);
    Saved saved;
    forward(step, parts[i], weight, losses.rows(int64_t(i), 1), saved);
    backward(step, weight, saved);
  }
  return finish_gradients(stream_, model_.parameters(), losses);
}

float LlamaTrainer::loss(std::span<const LlamaBatch> parts) {
  const float weight = weight_of(parts);
  const Tensor losses = this->losses(parts.size());
  Step step{stream_, arena_, model_.dtype()};
  for (size_t i = 0; i < parts.size(); ++i) {
    const ArenaScope scope(arena_);
    Saved saved;
    forward(step, parts[i], weight, losses.rows(int64_t(i), 1), saved);
  }
  std::vector<float> values(parts.size());
  copy(stream_, tensor_of(values), losses);
  stream_.synchronize();
  return std::accumulate(values.begin(), values.end(), 0.0f);
}

void LlamaTrainer::apply(const OptimizerOptions& options, double lr, int64_t step) {
  optimizer_step(stream_, model_.parameters(), options, lr, step);
}

// A dry run over documents of two tokens: memory depends on the number of rows alone.
int64_t LlamaTrainer::plan(int64_t rows) {
  Arena arena(model_.device());
  Stream stream(model_.device());
  stream.dry_run = true;
  Step step{stream, arena, model_.dtype()};
  LlamaBatch batch;
  const int32_t document[] = {0, 0};
  for (int64_t i = 0; i < rows; ++i) batch.add(document);
  Saved saved;
  Arena beside(model_.device());
  forward(step, batch, 1, beside.tensor({1}, DType::f32), saved);
  backward(step, 1, saved);
  return arena.high_water();
}

}  // namespace laclip

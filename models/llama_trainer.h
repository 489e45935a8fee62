// Trains a LLaMA: next-token prediction on packed documents.
//
//   loss = mean over all rows of -log p(target | the document up to the row)
//
// A batch may come in parts; their gradients add up to those of the whole batch.
#pragma once

#include <span>
#include <vector>

#include "engine/optimizer.h"
#include "models/llama.h"

namespace laclip {

// Documents one behind the other. A document of n tokens gives n - 1 rows: each predicts the next.
struct LlamaBatch {
  std::vector<int32_t> ids, targets, positions;  // of each row; a target of -1 does not count
  std::vector<int32_t> offsets{0};

  int64_t rows() const { return int64_t(ids.size()); }
  int64_t counted() const;  // targets that count
  // Targets before token number `first_target` do not count (a prompt that need not be learned).
  void add(std::span<const int32_t> document, size_t first_target = 1);
};

class LlamaTrainer {
 public:
  // Memory for parts of up to `max_rows` rows is planned here.
  LlamaTrainer(Llama& model, int64_t max_rows);

  // Sets the gradients of all parameters. A loss that is not finite leaves them undefined; look at it
  // before apply().
  Gradients compute_gradients(std::span<const LlamaBatch> parts);
  float loss(std::span<const LlamaBatch> parts);  // alone, for evaluation
  // step counts from 1
  void apply(const OptimizerOptions& options, double lr, int64_t step);

  Stream& stream() { return stream_; }
  int64_t activation_bytes() const { return activation_bytes_; }

 private:
  struct Saved {
    Tensor ids, targets;  // [N] [N]: those of the batch, which must outlive backward
    std::vector<RotaryBlock::Saved> blocks;
    Tensor x, normed, lse;  // [N C] [N C] [N]: before and after the last norm
    RmsNorm::Saved final_norm;
  };
  void forward(Step& step, const LlamaBatch& batch, float weight, Out loss, Saved& saved);
  void backward(Step& step, float weight, const Saved& saved);
  Tensor losses(size_t parts);
  int64_t plan(int64_t rows);

  Llama& model_;
  int64_t max_rows_;
  Buffer losses_;  // of parts
  Stream stream_;
  int64_t activation_bytes_;
  Arena arena_;
};

}  // namespace laclip

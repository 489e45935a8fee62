// The documents a language model is trained on, as tokens, and the batches made of them.
#pragma once

#include <span>
#include <vector>

#include "base/json.h"
#include "models/llama_trainer.h"
#include "tokenizer/tokenizer.h"

namespace laclip {

class Documents {
 public:
  // Those of read_documents(file), each as begin + text + end; one that is longer than `longest`
  // tokens is cut into several.
  Documents(const fs::path& file, const Tokenizer& tokenizer, int64_t longest, int threads);

  size_t size() const { return begin_.size() - 1; }
  int64_t tokens() const { return int64_t(tokens_.size()); }
  std::span<const int32_t> operator[](size_t i) const {
    return {tokens_.data() + begin_[i], size_t(begin_[i + 1] - begin_[i])};
  }
  uint64_t digest() const;

 private:
  std::vector<int32_t> tokens_;
  std::vector<int64_t> begin_{0};
};

// Deals documents into batches, in a new order each epoch. Its state is a place in that order, so a
// resumed run goes on with the same batches.
class DocumentDealer {
 public:
  DocumentDealer(const Documents& documents, uint64_t seed);

  // The next documents, as many as fit into max_rows.
  LlamaBatch next(int64_t max_rows);
  double epochs() const { return double(epoch_) + double(at_) / double(documents_.size()); }
  Json state() const { return {{"epoch", epoch_}, {"document", at_}}; }
  void restore(const Json& state, const std::string& place);

 private:
  void shuffle();
  const Documents& documents_;
  uint64_t seed_;
  std::vector<uint32_t> order_;
  int64_t epoch_ = 0;
  size_t at_ = 0;
};

}  // namespace laclip

#include "apps/pretrain/documents.h"

#include <algorithm>

#include "base/check.h"
#include "base/philox.h"
#include "base/thread_pool.h"
#include "data/documents.h"
#include "data/text_table.h"

namespace laclip {

Documents::Documents(const fs::path& file, const Tokenizer& tokenizer, int64_t longest,
                     int threads) {
  check(tokenizer.begin_token() && tokenizer.end_token(),
        "a {} vocabulary has no begin and end tokens; give LLaMA's kind", tokenizer.kind());
  const std::vector<std::string> texts = read_documents(file);
  std::vector<std::vector<int32_t>> all(texts.size());
  {
    constexpr size_t kBlock = 1024;  // texts of one job
    ThreadPool pool(threads);
    for (size_t begin = 0; begin < texts.size(); begin += kBlock)
      pool.submit([&, begin] {
        for (size_t i = begin; i < std::min(texts.size(), begin + kBlock); ++i) {
          all[i] = tokenizer.encode(texts[i]);
          all[i].insert(all[i].begin(), *tokenizer.begin_token());
          all[i].push_back(*tokenizer.end_token());
        }
      });
  }
  // A part begins with the last token of the one before, so that every token but the first is
  // predicted once.
  for (const auto& ids : all)
    for (size_t first = 0; first + 1 < ids.size(); first += size_t(longest) - 1) {
      const size_t last = std::min(ids.size(), first + size_t(longest));
      tokens_.insert(tokens_.end(), ids.begin() + int64_t(first), ids.begin() + int64_t(last));
      begin_.push_back(int64_t(tokens_.size()));
    }
}

uint64_t Documents::digest() const {
  TextTable bytes;
  bytes.add({reinterpret_cast<const char*>(tokens_.data()), tokens_.size() * sizeof(int32_t)});
  bytes.add({reinterpret_cast<const char*>(begin_.data()), begin_.size() * sizeof(int64_t)});
  return bytes.digest();
}

DocumentDealer::DocumentDealer(const Documents& documents, uint64_t seed)
    : documents_(documents), seed_(seed) {
  shuffle();
}

void DocumentDealer::shuffle() {
  order_ = Random(seed_, RandomUse::sample_order, uint64_t(epoch_))
               .permutation(uint32_t(documents_.size()));
}

LlamaBatch DocumentDealer::next(int64_t max_rows) {
  LlamaBatch batch;
  for (;;) {
    if (at_ == order_.size()) {
      ++epoch_;
      at_ = 0;
      shuffle();
    }
    const auto document = documents_[order_[at_]];
    const int64_t rows = int64_t(document.size()) - 1;
    check(rows <= max_rows, "a document of {} tokens for batches of {}", document.size(), max_rows);
    if (batch.rows() + rows > max_rows) return batch;
    batch.add(document);
    ++at_;
  }
}

void DocumentDealer::restore(const Json& state, const std::string& place) {
  epoch_ = json_field<int64_t>(state, "epoch", place);
  at_ = json_field<size_t>(state, "document", place);
  check(at_ <= documents_.size(), "{}: document {} of {}", place, at_, documents_.size());
  shuffle();
}

}  // namespace laclip

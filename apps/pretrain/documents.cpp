#include "apps/pretrain/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/check.h"
#include "base/philox.h"
#include "base/thread_pool.h"
#include "data/text_table.h"

namespace laclip {
namespace {

std::string text_of(const std::string& line, bool json, const std::string& place) {
  if (!json) return line;
  const Json value = parse_json(line, place);
  if (value.is_string()) return value.get<std::string>();
  check(value.is_object(), "{}: a JSON string or an object with the field \"text\" is needed",
        place);
  return json_field<std::string>(value, "text", place);
}

}  // namespace

Documents::Documents(const fs::path& file, const Tokenizer& tokenizer, int64_t longest,
                     int threads) {
  check(tokenizer.begin_token() && tokenizer.end_token(),
        "{}: a tokenizer without begin and end tokens; LLaMA needs them", tokenizer.kind());
  const std::vector<std::string> lines = read_lines(file);
  const bool json = file.extension() == ".jsonl";
  constexpr size_t kBlock = 1024;  // lines of one job
  std::vector<std::vector<std::vector<int32_t>>> blocks((lines.size() + kBlock - 1) / kBlock);
  std::mutex mutex;
  std::string error;
  {
    ThreadPool pool(threads);
    for (size_t b = 0; b < blocks.size(); ++b)
      pool.submit([&, b] {
        for (size_t i = b * kBlock; i < std::min(lines.size(), (b + 1) * kBlock); ++i) try {
            if (lines[i].empty()) continue;
            auto ids = tokenizer.encode(
                text_of(lines[i], json, fmt::format("{}:{}", file.string(), i + 1)));
            ids.insert(ids.begin(), *tokenizer.begin_token());
            ids.push_back(*tokenizer.end_token());
            blocks[b].push_back(std::move(ids));
          } catch (const std::exception& e) {
            std::lock_guard lock(mutex);
            if (error.empty()) error = e.what();
          }
      });
  }
  check(error.empty(), "{}", error);
  for (const auto& block : blocks)
    for (const auto& ids : block)
      for (size_t first = 0; first + 1 < ids.size(); first += size_t(longest) - 1) {
        const size_t last = std::min(ids.size(), first + size_t(longest));
        tokens_.insert(tokens_.end(), ids.begin() + int64_t(first), ids.begin() + int64_t(last));
        begin_.push_back(int64_t(tokens_.size()));
      }
  check(size() > 0, "{}: no documents in this file", file.string());
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
    check(rows <= max_rows,
          "a document of {} tokens, but a batch takes {}; use a larger "
          "--batch-tokens",
          document.size(), max_rows);
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

#include "tokenizer/sentencepiece_train.h"

#include <sentencepiece_trainer.h>

#include <thread>
#include <unordered_map>

#include "base/check.h"

namespace laclip {
namespace {

class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& lines) : lines_(lines) {}
  bool done() const override { return at_ == lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& lines_;
  size_t at_ = 0;
};

}  // namespace

void train_sentencepiece(const fs::path& path, const std::vector<std::string>& lines,
                         int64_t vocabulary) {
  Lines iterator(lines);
  std::string model;
  const std::unordered_map<std::string, std::string> settings{
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(vocabulary)},
      {"byte_fallback", "true"},
      {"split_digits", "true"},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"allow_whitespace_only_pieces", "true"},
      {"character_coverage", "0.9999"},
      {"unk_id", "0"},
      {"bos_id", "1"},
      {"eos_id", "2"},
      {"pad_id", "-1"},
      {"num_threads", std::to_string(std::max(1u, std::thread::hardware_concurrency()))},
      {"minloglevel", "2"}};
  const auto status = sentencepiece::SentencePieceTrainer::Train(settings, &iterator, &model);
  check(status.ok(), "{}: SentencePiece cannot make {} pieces from {} lines: {}", path.string(),
        vocabulary, lines.size(), status.message());
  write_atomically(path, model);
}

}  // namespace laclip

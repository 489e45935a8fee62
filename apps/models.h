// Opening models and tokenizers the way all commands do.
#pragma once

#include <memory>
#include <string>

#include "apps/device.h"
#include "models/clip.h"
#include "models/llama.h"
#include "tokenizer/clip_bpe.h"

namespace laclip {

// Error if a LLaMA and a tokenizer do not belong together; the paths are for the message.
void check_vocabulary(const Llama& model, const Tokenizer& tokenizer, const std::string& model_path,
                      const std::string& tokenizer_path);

// A LLaMA and its tokenizer; Error if their vocabularies do not belong together.
struct LlamaAndTokenizer {
  std::unique_ptr<Llama> model;
  std::unique_ptr<Tokenizer> tokenizer;

  std::vector<bool> end_tokens() const;  // [V]: that end a text, by tokenizer or model
};
LlamaAndTokenizer open_llama(const std::string& model, const std::string& tokenizer,
                             const std::string& precision, const std::string& device);

// Fingerprints, by which a resumed job knows its model: of some bytes from the start, the middle
// and the end of each weight (another model differs in them; all of a large one would take a
// minute), and of a whole file.
uint64_t digest_of(const ParameterSet& parameters);
uint64_t digest_of(const fs::path& file);

// A vocabulary of CLIP's kind; Error for any other.
std::unique_ptr<ClipTokenizer> open_clip_tokenizer(const std::string& path);
void check_vocabulary(const Clip& model, const ClipTokenizer& tokenizer, const std::string& path);

}  // namespace laclip

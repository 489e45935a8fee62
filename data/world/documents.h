// Training documents for a rewriter, in the very form of the prompt: three example pairs of one
// style, the caption, and its rewrite; and pairs for `laclip rewrite --pairs`.
#pragma once

#include <string>

#include "base/json.h"
#include "data/world/language.h"

namespace laclip::world {

struct Document {
  RewriteMode style;
  Scene scene;  // of the query, as `query` and `target`
  AltText query;
  std::string target;
  std::string text;  // prefix + query + " " + target + "\n"
};
// Document `index` of a split has four scenes of its own; styles take turns.
Document make_document(uint64_t seed, Split split, uint64_t index, const AltTextOptions& options);

// {"pairs": 16 of them} or, for coco, {"groups": 18 of five captions}.
Json example_pairs(uint64_t seed, RewriteMode style, const AltTextOptions& options);

constexpr RewriteMode kStyles[] = {RewriteMode::chatgpt, RewriteMode::bard, RewriteMode::coco,
                                   RewriteMode::human};

}  // namespace laclip::world

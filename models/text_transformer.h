// The text tower: a causal transformer over packed captions, without padding. What stands behind
// the end-of-text token cannot influence it, so captions have their true lengths.
//
//   x = tokens[ids] + places[positions]      blocks      feature = ln_final(x_end) proj
#pragma once

#include <cstdint>
#include <vector>

#include "models/blocks.h"

namespace laclip {

// A batch where the ops can read it. S = B where nothing was filled up.
struct TextRows {
  Tensor ids, positions, offsets, ends;  // [N] [N] [S+1] [B]
};

// Captions as packed rows: [start] ids [end] of each, one after the other.
struct TextBatch {
  std::vector<int32_t> ids, positions;  // [N] [N]
  std::vector<int32_t> offsets{0};      // [B+1]
  std::vector<int32_t> ends;            // [B]: the row of each end token

  void add(const std::vector<int32_t>& caption);  // Error if it is empty
  // Adds sequences that nobody reads, of at most `length` rows, so that few numbers of rows occur
  // among batches: the next multiple of a thirty-second, or of 64, but not more than `most`. How many
  // sequences depends on the number of rows alone. Nothing is added behind it.
  void fill_up(int64_t length, int64_t most);
  int64_t captions() const { return int64_t(ends.size()); }
  int64_t tokens() const { return int64_t(ids.size()); }
  TextRows on_device(const Step& step) const;  // the batch must outlive them
};

struct TextTransformer {
  const ClipConfig* config = nullptr;
  const Parameter *tokens = nullptr, *places = nullptr;  // [V C] [T C]
  Transformer transformer;
  LayerNorm ln_final;
  Projection proj;

  static TextTransformer declare(ParameterSet& parameters, const ClipConfig& config);

  struct Saved {
    TextRows rows;
    Transformer::Saved transformer;
    Tensor picked, normed;  // [B C] [B C]: end tokens, before and after ln_final
    LayerNorm::Saved ln_final;
  };
  // features[B E], not normalised. saved null: nothing is kept.
  void forward(Step& step, const TextRows& rows, Out features, Saved* saved) const;
  void backward(Step& step, const Saved& saved, In dfeatures) const;
};

}  // namespace laclip

#include "models/text_transformer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/ops/embedding.h"
#include "kernels/ops/token_ops.h"

namespace laclip {

void TextBatch::add(const std::vector<int32_t>& caption) {
  check(!caption.empty(), "a caption without tokens; even an empty one has start and end");
  for (size_t i = 0; i < caption.size(); ++i) {
    ids.push_back(caption[i]);
    positions.push_back(int32_t(i));
  }
  offsets.push_back(int32_t(ids.size()));
  ends.push_back(int32_t(ids.size()) - 1);
}

void TextBatch::fill_up(int64_t length, int64_t most) {
  const int64_t N = tokens(), unit = std::max<int64_t>(64, std::bit_floor(uint64_t(N)) / 32);
  int64_t missing = std::min((N + unit - 1) / unit * unit, most) - N;
  for (int64_t room = unit; room > 0; room -= length) {
    for (int64_t i = 0; i < length && missing > 0; ++i, --missing) {
      ids.push_back(0);
      positions.push_back(int32_t(i));
    }
    offsets.push_back(int32_t(ids.size()));
  }
}

TextRows TextBatch::on_device(const Step& step) const {
  const auto [all_ids, all_positions, all_offsets, all_ends] =
      step.on_device<4>({&ids, &positions, &offsets, &ends});
  return {all_ids, all_positions, all_offsets, all_ends};
}

TextTransformer TextTransformer::declare(ParameterSet& parameters, const ClipConfig& config) {
  const int64_t C = config.text.width;
  TextTransformer text;
  text.config = &config;
  text.tokens =
      &laclip::declare(parameters, "token_embedding.weight", {config.vocabulary, C}, Normal{0.02f});
  text.places = &laclip::declare(parameters, "positional_embedding", {config.context_length, C},
                                 Normal{0.01f});
  text.transformer = declare_transformer(parameters, "transformer", config.text, true,
                                         BlockNames::open_clip, BlockInit::clip_text);
  text.ln_final = declare_norm(parameters, "ln_final", C, config.text.eps);
  text.proj.w = &laclip::declare(parameters, "text_projection", {C, config.embed},
                                 Normal{1.0f / std::sqrt(float(C))});
  return text;
}

void TextTransformer::forward(Step& step, const TextRows& rows, Out features, Saved* saved) const {
  const int64_t N = rows.ids[0], B = rows.ends[0], C = config->text.width;
  Saved s;
  s.rows = rows;
  const Tensor x = step.tensor({N, C});
  embedding_forward(step.stream, x, tokens->value, places->value, rows.ids, rows.positions);
  Tensor y;
  if (saved) {
    s.transformer = transformer.forward(step, x, rows.offsets);
    y = s.transformer.y;
  } else {
    y = transformer.infer(step, x, rows.offsets);
  }
  s.picked = step.tensor({B, C});
  gather_rows_forward(step.stream, s.picked, y, rows.ends);
  s.normed = step.tensor({B, C});
  s.ln_final = ln_final.forward(step, s.picked, s.normed);
  proj.forward(step, s.normed, features);
  if (saved) *saved = std::move(s);
}

void TextTransformer::backward(Step& step, const Saved& s, In dfeatures) const {
  const ArenaScope scope(step.arena);
  const Shape shape{s.rows.ids[0], config->text.width};
  const Tensor dnormed = step.tensor(s.normed.shape), dpicked = step.tensor(s.picked.shape);
  proj.backward(step, dfeatures, s.normed, dnormed);
  ln_final.backward(step, s.ln_final, dnormed, s.picked, dpicked);
  const Tensor dy = step.tensor(shape), dx = step.tensor(shape);
  gather_rows_backward(step.stream, dy, dpicked, s.rows.ends);
  transformer.backward(step, s.transformer, dy, dx);
  embedding_backward(step.stream, tokens->gradient, places->gradient, dx, s.rows.ids,
                     s.rows.positions);
}

}  // namespace laclip

#include "models/text_transformer.h"

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

void TextTransformer::forward(Step& step, const TextBatch& batch, Out features,
                              Saved* saved) const {
  const int64_t N = batch.tokens(), B = batch.captions(), C = config->text.width;
  Saved s;
  const auto [ids, positions, ends, offsets] =
      step.on_device<4>({&batch.ids, &batch.positions, &batch.ends, &batch.offsets});
  s.ids = ids;
  s.positions = positions;
  s.ends = ends;
  const Tensor x = step.tensor({N, C});
  embedding_forward(step.stream, x, tokens->value, places->value, s.ids, s.positions);
  Tensor y;
  if (saved) {
    s.transformer = transformer.forward(step, x, offsets);
    y = s.transformer.y;
  } else {
    y = transformer.infer(step, x, offsets);
  }
  s.picked = step.tensor({B, C});
  gather_rows_forward(step.stream, s.picked, y, s.ends);
  s.normed = step.tensor({B, C});
  s.ln_final = ln_final.forward(step, s.picked, s.normed);
  proj.forward(step, s.normed, features);
  if (saved) *saved = std::move(s);
}

void TextTransformer::backward(Step& step, const Saved& s, In dfeatures) const {
  const ArenaScope scope(step.arena);
  const Shape rows{s.ids[0], config->text.width};
  const Tensor dnormed = step.tensor(s.normed.shape), dpicked = step.tensor(s.picked.shape);
  proj.backward(step, dfeatures, s.normed, dnormed);
  ln_final.backward(step, s.ln_final, dnormed, s.picked, dpicked);
  const Tensor dy = step.tensor(rows), dx = step.tensor(rows);
  gather_rows_backward(step.stream, dy, dpicked, s.ends);
  transformer.backward(step, s.transformer, dy, dx);
  embedding_backward(step.stream, tokens->gradient, places->gradient, dx, s.ids, s.positions);
}

}  // namespace laclip

// Declares the parameters of a transformer tower under the names of open_clip or timm.
#pragma once

#include <string>

#include "engine/layers/transformer_block.h"
#include "models/clip_config.h"

namespace laclip {

// The paper's rule (LaCLIP, SLIP): weights of two dimensions and more decay, unless their name says
// bias or norm; embeddings and projections decay, too.
Decay decay_of(const std::string& name, const Shape& shape);

const Parameter& declare(ParameterSet& parameters, const std::string& name, Shape shape,
                         Initializer initializer);
LayerNorm declare_norm(ParameterSet& parameters, const std::string& name, int64_t width, float eps);

enum class BlockNames { open_clip, timm };
// How the matrices start: `pytorch` = the defaults of its modules, `clip_text` = CLIP's text tower.
enum class BlockInit { pytorch, clip_text };

Transformer declare_transformer(ParameterSet& parameters, const std::string& prefix,
                                const TowerConfig& tower, bool causal, BlockNames names,
                                BlockInit init);

}  // namespace laclip

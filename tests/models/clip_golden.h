// A tiny CLIP with a batch, and what PyTorch makes of it (tests/golden/make_clip.py).
#pragma once

#include <cmath>

#include "engine/safetensors.h"
#include "models/clip_trainer.h"
#include "tests/harness/reference_data.h"

namespace laclip::test {

struct Golden {
  explicit Golden(const std::string& name)
      : file(source_dir() / "tests/golden" / (name + ".safetensors")),
        config(parse_clip_config(parse_json(file.metadata().at("config"), name), name)) {
    const Tensor ids = file.tensor("ids"), lengths = file.tensor("lengths");
    batch.images = file.tensor("pixels");
    for (int64_t b = 0; b < ids[0]; ++b) {
      const int32_t* row = ids.as<int32_t>() + b * ids[1];
      batch.captions.emplace_back(row, row + lengths.as<int32_t>()[b]);
    }
  }
  void load(Clip& model) const {
    for (const Parameter& p : model.parameters().list())
      model.parameters().assign(p, file.tensor("w." + p.name));
  }
  SafetensorsFile file;
  ClipConfig config;
  ClipBatch batch;
};

// ‖got - want‖ / max(‖want‖, least). The softmax does not change when the same vector is added to
// all keys, so the gradient of a key bias is zero and what is computed is rounding: `least` is its
// measure.
inline double relative_l2(const Tensor& got, const Tensor& want, double least = 0) {
  const HostCopy host_got(got), host_want(want);
  const auto *a = host_got.tensor().as<float>(), *b = host_want.tensor().as<float>();
  double difference = 0, scale = least * least;
  for (int64_t i = 0; i < want.elements(); ++i) {
    const double g = double(a[i]), w = double(b[i]);
    difference += (g - w) * (g - w);
    scale += w * w;
  }
  return std::sqrt(difference / (scale + 1e-30));
}

}  // namespace laclip::test

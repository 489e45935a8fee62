// CLIP against PyTorch (tests/golden/make_clip.py), and its behaviour in training.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "base/check.h"
#include "base/philox.h"
#include "engine/safetensors.h"
#include "models/clip_checkpoint.h"
#include "models/clip_trainer.h"
#include "tests/harness/guard_device_memory.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

double norm_of(const Tensor& on_any_device) {
  const HostCopy host(on_any_device);
  const Tensor& x = host.tensor();
  double squares = 0;
  for (int64_t i = 0; i < x.elements(); ++i)
    squares += double(x.as<float>()[i]) * double(x.as<float>()[i]);
  return std::sqrt(squares);
}

// ‖got - want‖ / max(‖want‖, least). The softmax does not change when the same vector is added to
// all keys, so the gradient of a key bias is zero and what is computed is rounding: `least` is its
// measure.
double relative_l2(const Tensor& got, const Tensor& want, double least = 0) {
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

// The ranges of a parameter that training determines. Adam divides a gradient by its own size, so
// the rounding that stands for the zero gradient of a key bias moves it at random, here and in
// PyTorch.
std::vector<std::pair<int64_t, int64_t>> parts_without_key_bias(const Parameter& p) {
  if (p.name.ends_with("k_norm.bias") || p.shape.rank == 0) return {};
  if (!p.name.ends_with("in_proj_bias")) return {{0, p.shape[0]}};
  const int64_t C = p.shape[0] / 3;
  return {{0, C}, {2 * C, C}};
}

// Of the norm of all gradients: below it a parameter's gradient counts as zero.
constexpr double kLeastShare = 1e-3;

struct Golden {
  explicit Golden(const std::string& name)
      : file(test::source_dir() / "tests/golden" / (name + ".safetensors")),
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

// Each form of the model on each device.
class ClipGolden : public testing::TestWithParam<std::tuple<const char*, Device>> {
 protected:
  const char* form() const { return std::get<0>(GetParam()); }
  Device device() const { return std::get<1>(GetParam()); }
};

TEST_P(ClipGolden, ParametersAreThoseOfTheReference) {
  const Golden golden(form());
  Clip model(golden.config, DType::f32, Training::yes, 0);
  size_t weights = 0;
  for (const auto& [name, entry] : golden.file.entries()) weights += name.starts_with("w.");
  EXPECT_EQ(model.parameters().list().size(), weights);
  for (const Parameter& p : model.parameters().list())
    EXPECT_EQ(golden.file.tensor("w." + p.name).shape, p.shape) << p.name;
}

TEST_P(ClipGolden, FeaturesLossAndEveryGradient) {
  const Golden golden(form());
  Clip model(golden.config, DType::f32, Training::yes, 0, device());
  golden.load(model);
  ClipTrainer trainer(model, 6, 6);
  const float loss = trainer.compute_gradients(golden.batch).loss;
  const double want = golden.file.tensor("loss").as<double>()[0];
  EXPECT_NEAR(double(loss) / want, 1, 1e-6);
  const double least = kLeastShare * norm_of(model.parameters().gradients());
  for (const Parameter& p : model.parameters().list())
    EXPECT_LE(relative_l2(p.gradient, golden.file.tensor("g." + p.name), least), 1e-4) << p.name;

  Stream stream(device());
  Arena arena("test", 64 << 20, device());
  Step step{stream, arena};
  Buffer memory("features", 6 * golden.config.embed * 4, device());
  const Tensor features = memory.tensor({6, golden.config.embed}, DType::f32);
  model.encode_images(step, golden.batch.images, features);
  EXPECT_LE(relative_l2(features, golden.file.tensor("image")), 1e-5);
  TextBatch texts;
  for (const auto& caption : golden.batch.captions) texts.add(caption);
  model.encode_texts(step, texts, features);
  EXPECT_LE(relative_l2(features, golden.file.tensor("text")), 1e-5);
}

TEST_P(ClipGolden, FiveStepsOfAdamw) {
  const Golden golden(form());
  Clip model(golden.config, DType::f32, Training::yes, 0, device());
  golden.load(model);
  ClipTrainer trainer(model, 6, 6);
  // The goldens' eps: with a smaller one a gradient that is zero within rounding moves its weight.
  const OptimizerOptions options{.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-5, .decay = 0.5};
  for (int64_t step = 1; step <= 5; ++step) {
    const float loss = trainer.compute_gradients(golden.batch).loss;
    const double tolerance = step == 1 ? 1e-6 : 1e-5;
    EXPECT_NEAR(double(loss) / golden.file.tensor("losses").as<double>()[step - 1], 1, tolerance);
    trainer.apply(options, 1e-3, step);
  }
  EXPECT_NEAR(model.logit_scale(), golden.file.tensor("s.logit_scale").as<float>()[0], 1e-5);
  for (const Parameter& p : model.parameters().list())
    for (const auto& [begin, count] : parts_without_key_bias(p))
      EXPECT_LE(relative_l2(p.master.rows(begin, count),
                            golden.file.tensor("s." + p.name).rows(begin, count)),
                1e-4)
          << p.name;
}

// Two micro-batches of three, and five of one and less: the same gradients as the batch of six.
TEST_P(ClipGolden, MicroBatchesGiveTheFullBatch) {
  const Golden golden(form());
  Clip whole(golden.config, DType::f32, Training::yes, 0, device()),
      parts(golden.config, DType::f32, Training::yes, 0, device());
  golden.load(whole);
  golden.load(parts);
  ClipTrainer whole_trainer(whole, 6, 6);
  const float loss = whole_trainer.compute_gradients(golden.batch).loss;
  for (int64_t micro : {1, 3, 4}) {
    ClipTrainer trainer(parts, 6, micro);
    EXPECT_FLOAT_EQ(trainer.compute_gradients(golden.batch).loss, loss);
    const double least = kLeastShare * norm_of(whole.parameters().gradients());
    for (const Parameter& p : parts.parameters().list())
      EXPECT_LE(relative_l2(p.gradient, whole.parameters().find(p.name)->gradient, least), 1e-5)
          << p.name;
  }
}

TEST_P(ClipGolden, Bf16IsCloseAndLearns) {
  const Golden golden(form());
  Clip model(golden.config, DType::bf16, Training::yes, 0, device());
  golden.load(model);
  ClipTrainer trainer(model, 6, 6);
  float loss = trainer.compute_gradients(golden.batch).loss;
  EXPECT_NEAR(loss, golden.file.tensor("loss").as<double>()[0], 0.05);
  for (int64_t step = 1; step <= 60; ++step) {
    loss = trainer.compute_gradients(golden.batch).loss;
    trainer.apply({.decay = 0}, 2e-3, step);
  }
  EXPECT_LT(loss, 0.1);  // one batch, learned by heart
}

INSTANTIATE_TEST_SUITE_P(Forms, ClipGolden,
                         testing::Combine(testing::Values("clip_open_clip", "clip_laclip"),
                                          testing::Values(Device::cpu, Device::cuda)),
                         [](const auto& variant) {
                           return fmt::format("{}_{}", std::get<0>(variant.param),
                                              name_of(std::get<1>(variant.param)));
                         });

TEST(Clip, FiveStepsAreTheSameOnBothDevices) {
  const Golden golden("clip_laclip");
  Clip cpu(golden.config, DType::f32, Training::yes, 5),
      cuda(golden.config, DType::f32, Training::yes, 5, Device::cuda);
  EXPECT_EQ(relative_l2(cuda.parameters().masters(), cpu.parameters().masters()), 0) << "the start";
  for (Clip* model : {&cpu, &cuda}) {
    ClipTrainer trainer(*model, 6, 3);
    for (int64_t step = 1; step <= 5; ++step) {
      trainer.compute_gradients(golden.batch);
      trainer.apply({.eps = 1e-5, .decay = 0.2, .max_norm = 1}, 1e-3, step);
    }
  }
  EXPECT_LE(relative_l2(cuda.parameters().masters(), cpu.parameters().masters()), 1e-5);
}

TEST(Clip, OverfitsOneBatch) {
  const Golden golden("clip_open_clip");
  Clip model(golden.config, DType::f32, Training::yes, 7);
  ClipTrainer trainer(model, 6, 6);
  float loss = 0;
  for (int64_t step = 1; step <= 80; ++step) {
    loss = trainer.compute_gradients(golden.batch).loss;
    trainer.apply({.decay = 0}, 2e-3, step);
  }
  EXPECT_LT(loss, 0.05);
}

TEST(Clip, InitialisationFollowsSeedAndName) {
  const Golden golden("clip_open_clip");
  Clip a(golden.config, DType::f32, Training::no, 1), b(golden.config, DType::f32, Training::no, 1),
      c(golden.config, DType::f32, Training::no, 2);
  const char* name = "visual.proj";
  auto bits = [&](Clip& model) {
    const Tensor w = model.parameters().find(name)->value;
    return std::string(static_cast<const char*>(w.data), size_t(w.bytes()));
  };
  EXPECT_EQ(bits(a), bits(b));
  EXPECT_NE(bits(a), bits(c));
  EXPECT_FLOAT_EQ(a.logit_scale(), 2.6592600f);
}

TEST(ClipCheckpoint, AResumedRunIsTheUninterruptedOne) {
  for (DType type : {DType::f32, DType::bf16}) {
    const Golden golden("clip_laclip");
    const OptimizerOptions options{.decay = 0.2, .max_norm = 1};
    auto train = [&](Clip& model, int64_t from, int64_t to) {
      ClipTrainer trainer(model, 6, 6);
      for (int64_t step = from; step <= to; ++step) {
        trainer.compute_gradients(golden.batch);
        trainer.apply(options, 1e-3, step);
      }
    };
    test::TemporaryFolder folder;
    Clip straight(golden.config, type, Training::yes, 3),
        first(golden.config, type, Training::yes, 3),
        second(golden.config, type, Training::yes, 99);
    train(straight, 1, 6);
    train(first, 1, 3);
    save_checkpoint(first, folder / "c", {{"step", 3}});
    save_checkpoint(first, folder / "c", {{"step", 3}});  // over the old one
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "something is left";
    EXPECT_EQ(load_checkpoint(second, folder / "c")["step"], 3);
    train(second, 4, 6);
    const Tensor a = straight.parameters().masters(), b = second.parameters().masters();
    EXPECT_EQ(std::memcmp(a.data, b.data, size_t(a.bytes())), 0);
    // And what evaluation loads is what was saved.
    const auto loaded = load_clip(folder / "c", DType::f32);
    EXPECT_EQ(relative_l2(loaded->parameters().find("text_projection")->value,
                          first.parameters().find("text_projection")->master),
              0);
  }
}

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ClipCheckpoint, WeightsThatDoNotFitAreNamed) {
  const Golden golden("clip_open_clip"), other("clip_laclip");
  test::TemporaryFolder folder;
  Clip model(golden.config, DType::f32, Training::yes, 0),
      foreign(other.config, DType::f32, Training::yes, 0);
  save_checkpoint(foreign, folder / "c", {});
  const std::string error = error_of([&] { load_clip_weights(model, folder / "c"); });
  EXPECT_NE(error.find("missing visual.class_embedding"), std::string::npos) << error;
  EXPECT_NE(error.find("extra"), std::string::npos);

  model.parameters().find("visual.proj")->master.as<float>()[5] = std::nanf("");
  save_checkpoint(model, folder / "nan", {});
  EXPECT_NE(error_of([&] {
              load_clip(folder / "nan", DType::f32);
            }).find("'visual.proj' holds NaN"),
            std::string::npos);
  const fs::path file = folder / "nan/open_clip_model.safetensors";
  write_atomically(file, read_text(file).substr(0, 5000));
  EXPECT_NE(error_of([&] { load_clip(folder / "nan", DType::f32); }).find("cut off"),
            std::string::npos);
  EXPECT_NE(error_of([&] { load_clip(folder / "none", DType::f32); }).find("no such checkpoint"),
            std::string::npos);
}

TEST(ClipCheckpoint, AFolderNamedLikeAPresetIsItself) {
  const Golden golden("clip_open_clip");
  test::TemporaryFolder folder;
  save_checkpoint(Clip(golden.config, DType::f32, Training::yes, 0), folder / "ViT-B-32", {});
  const fs::path here = fs::current_path();
  fs::current_path(folder.path());
  const auto model = load_clip("ViT-B-32", DType::f32);
  fs::current_path(here);
  EXPECT_EQ(model->config().image_size, golden.config.image_size);
}

TEST(ClipConfig, PresetsAreSound) {
  for (const std::string& name : clip_presets()) EXPECT_NO_THROW(load_clip_config(name)) << name;
  EXPECT_EQ(load_clip_config("ViT-B-32").vision.heads, 12);
  EXPECT_TRUE(load_clip_config("CLIP_VITB16").vision.qk_norm);
  EXPECT_EQ(load_clip_config("ViT-L-14-quickgelu").text.activation, Activation::quick_gelu);
}

TEST(ClipConfig, ImpossibleSizesAreNamed) {
  const auto with = [](const char* part, const char* field, const Json& value) {
    Json json = load_clip_config("ViT-B-32").json;
    (*part ? json[part] : json)[field] = value;
    return error_of([&] { parse_clip_config(json, "c.json"); });
  };
  const auto named = [&](const char* part, const char* field, const Json& value) {
    const std::string error = with(part, field, value),
                      want = fmt::format("field '{}' is {};", field, value.dump());
    EXPECT_NE(error.find(want), std::string::npos) << error;
  };
  for (const char* field : {"head_width", "image_size", "patch_size", "layers", "width", "heads"})
    for (const Json& value : {Json(0), Json(-1), Json(2.5), Json(1 << 21)})
      named("vision_cfg", field, value);
  named("text_cfg", "context_length", 2);
  named("text_cfg", "vocab_size", 0);
  named("text_cfg", "layers", -3);
  named("", "embed_dim", 0);
  EXPECT_NE(with("vision_cfg", "mlp_ratio", 0).find("'mlp_ratio'"), std::string::npos);
  EXPECT_NE(with("vision_cfg", "eps", -1).find("'eps'"), std::string::npos);
  EXPECT_NE(with("vision_cfg", "heads", 7).find("cannot be divided among 7 heads"),
            std::string::npos);
  EXPECT_NE(with("", "preprocess", {{"std", {0.5, 0, 0.5}}}).find("std 0"), std::string::npos);
}

TEST(ClipConfig, UnknownFieldsThatMatterAreErrors) {
  Json json = load_clip_config("ViT-B-32").json;
  json["vision_cfg"]["patch_dropout"] = 0.5;
  EXPECT_NE(error_of([&] {
              parse_clip_config(json, "c.json");
            }).find("c.json: vision_cfg: field 'patch_dropout' = 0.5 is not supported"),
            std::string::npos);
  json["vision_cfg"].erase("patch_dropout");
  json["vision_cfg"]["layers"] = {3, 4, 6, 3};
  EXPECT_NE(error_of([&] { parse_clip_config(json, "c.json"); }).find("ResNet"), std::string::npos);
  json = load_clip_config("ViT-B-32").json;
  json["preprocess"] = {{"resize_mode", "squash"}};
  EXPECT_NE(error_of([&] { parse_clip_config(json, "x"); }).find("'squash' is not supported"),
            std::string::npos);
  EXPECT_NE(error_of([&] { load_clip_config("ViT-Q-1"); }).find("presets are"), std::string::npos);
}

}  // namespace
}  // namespace laclip

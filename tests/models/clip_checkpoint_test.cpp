#include "models/clip_checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/harness/error_of.h"
#include "tests/models/clip_golden.h"

namespace laclip {
namespace {

using test::error_of, test::Golden, test::relative_l2;

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

}  // namespace
}  // namespace laclip

#include "kernels/ops/contrastive.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

// The definition, with the whole matrix of logits.
const auto contrastive_reference = [](auto& t) {
  using S = typename std::decay_t<decltype(t)>::Scalar;
  using std::exp, std::log;
  const auto B = size_t(t('B')), E = size_t(t('E'));
  std::vector<S> s(B * B);
  for (size_t a = 0; a < B; ++a)
    for (size_t b = 0; b < B; ++b) {
      for (size_t e = 0; e < E; ++e) s[a * B + b] += t["image"][a * E + e] * t["text"][b * E + e];
      s[a * B + b] = s[a * B + b] * exp(t["logit_scale"][0]);
    }
  S loss = 0;
  for (size_t b = 0; b < B; ++b) {
    S rows = 0, columns = 0;
    for (size_t a = 0; a < B; ++a) {
      rows += exp(s[b * B + a]);
      columns += exp(s[a * B + b]);
    }
    t["lse_image"][b] = log(rows);
    t["lse_text"][b] = log(columns);
    loss += log(rows) + log(columns) - 2.0 * s[b * B + b];
  }
  t["loss"][0] = loss / (2.0 * double(B));
};

OpInputs unit_features(int64_t B, int64_t E) {
  OpInputs inputs{.given = {{"logit_scale", {1.5}}}, .rounded_terms = true};
  for (const char* name : {"image", "text"}) {
    Doubles x = random_normal(B * E, name[0] == 'i' ? 1 : 2);
    for (int64_t b = 0; b < B; ++b) {
      double norm = 0;
      for (int64_t e = 0; e < E; ++e) norm += x[size_t(b * E + e)] * x[size_t(b * E + e)];
      for (int64_t e = 0; e < E; ++e) x[size_t(b * E + e)] /= std::sqrt(norm);
    }
    inputs.given[name] = x;
  }
  return inputs;
}

TEST(Contrastive, ValueAndGradient) {
  // 600 rows take two tiles of rows and two of columns, with remainders; on a GPU 130 do. Its steps
  // along E are 16 in fp32, of which 37 and 68 take several, without and with access to 16 bytes; 68 takes
  // two of 64 in bf16.
  for (auto [B, E] : {std::pair{1, 3}, {7, 5}, {65, 16}, {67, 37}, {130, 68}, {600, 8}}) {
    const Sizes sizes{{'B', B}, {'E', E}};
    check_op(contrastive_forward, sizes, contrastive_reference, std::tuple{}, unit_features(B, E));
    if (B == 1) continue;  // the loss is constant
    check_gradient(contrastive_forward, contrastive_backward, sizes, contrastive_reference,
                   std::tuple{}, std::tuple{}, unit_features(B, E));
  }
}

TEST(Contrastive, TheLargestScaleDoesNotOverflow) {
  OpInputs inputs = unit_features(70, 4);
  inputs.given["logit_scale"] = {std::log(100.0)};  // logits up to 100, of which exp overflows
  check_op(contrastive_forward, {{'B', 70}, {'E', 4}}, contrastive_reference, std::tuple{}, inputs);
}

// The outputs of forward and backward, each kernel run once.
std::map<std::string, Doubles> outputs_on(Device device, int64_t B, int64_t E) {
  std::map<std::string, Guarded> all;
  for (const char* name : {"image", "text", "dimage", "dtext"})
    all.try_emplace(name, Shape{B, E}, DType::f32, device);
  for (const char* name : {"lse_image", "lse_text"})
    all.try_emplace(name, Shape{B}, DType::f32, device);
  for (const char* name : {"loss", "logit_scale", "dlogit_scale"})
    all.try_emplace(name, Shape{1}, DType::f32, device);
  for (const auto& [name, values] : unit_features(B, E).given) all.at(name).store(values);
  all.at("dlogit_scale").store({0.5});
  const auto of = [&](const char* name) { return all.at(name).tensor; };
  Stream stream(device);
  contrastive_forward(stream, of("loss"), of("lse_image"), of("lse_text"), of("image"), of("text"),
                      of("logit_scale"));
  contrastive_backward(stream, of("dimage"), of("dtext"), of("dlogit_scale"), of("image"),
                       of("text"), of("logit_scale"), of("lse_image"), of("lse_text"));
  stream.synchronize();
  std::map<std::string, Doubles> outputs;
  for (const auto& [name, memory] : all) outputs[name] = memory.load();
  return outputs;
}

TEST(Contrastive, ALargeBatchIsTheSameOnEveryDevice) {
  // On a GPU 4100 rows take two blocks of backward each way, and strips of two tiles each way.
  const auto devices = test_devices();
  if (devices.size() < 2) GTEST_SKIP() << "one device";
  const auto want = outputs_on(Device::cpu, 4100, 3);
  for (const auto& [name, got] : outputs_on(Device::cuda, 4100, 3))
    EXPECT_LE(relative_error(got, want.at(name)), value_tolerance(DType::f32)) << name;
}

}  // namespace
}  // namespace laclip::test

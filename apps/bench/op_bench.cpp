#include "apps/bench/op_bench.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "apps/bench/median.h"
#include "base/log.h"
#include "base/philox.h"
#include "base/timer.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/adamw.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/contrastive.h"
#include "kernels/ops/image.h"
#include "kernels/ops/kv_cache.h"
#include "kernels/ops/layernorm.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/sampling.h"

namespace laclip {
namespace {

class OpBench {
 public:
  explicit OpBench(const OpBenchOptions& o) : o_(o), stream_(o.device) {
    Random random(0, RandomUse::test);
    noise_.resize(1 << 20);
    for (float& v : noise_) v = random.normal();
  }
  Json run();
  double product(int64_t n, DType type);

 private:
  // Random normal values; memory lives until the next clear().
  Tensor tensor(Shape shape, DType type = DType::f32, float deviation = 1);
  Tensor list(const std::vector<int32_t>& values);
  void clear() { memory_.clear(); }
  int64_t scaled(int64_t count) const {
    return std::max<int64_t>(1, int64_t(std::llround(double(count) * o_.scale)));
  }
  double seconds_of(const std::function<void()>& body);
  void report(const std::string& op, const std::string& shape, DType type, double bytes,
              double flops, const std::function<void()>& body);

  void ceilings();
  void norms(int64_t C);
  void activations(int64_t F);
  void products(int64_t C, int64_t F);
  void epilogues(int64_t N, int64_t C, int64_t F);
  void attention(int64_t T, bool causal);
  void contrastive();
  void optimizer();
  void image_crops(int side);
  void decoding();
  void cached_attention(int64_t N, int64_t heads, int64_t prefixes);
  void token_choice();

  OpBenchOptions o_;
  Stream stream_;
  std::vector<float> noise_;
  std::vector<Buffer> memory_;
  double copy_gbs_ = 0, product_gflops_ = 0;
  Json rows_ = Json::array();
};

Tensor OpBench::tensor(Shape shape, DType type, float deviation) {
  const int64_t count = shape.elements();
  memory_.emplace_back("bench", count * size_of(type), o_.device);
  const Tensor whole = memory_.back().tensor({count}, type);
  std::vector<bf16> rounded;
  std::vector<float> scaled_noise(noise_);
  for (float& v : scaled_noise) v *= deviation;
  for (float v : scaled_noise) rounded.emplace_back(v);
  for (int64_t at = 0; at < count; at += int64_t(noise_.size())) {
    const int64_t piece = std::min(count - at, int64_t(noise_.size()));
    const Shape part{piece};
    copy(stream_, whole.rows(at, piece),
         type == DType::f32 ? tensor_of(scaled_noise.data(), part)
                            : tensor_of(rounded.data(), part));
  }
  stream_.synchronize();
  return whole.view(shape);
}

Tensor OpBench::list(const std::vector<int32_t>& values) {
  memory_.emplace_back("bench", 4 * int64_t(values.size()), o_.device);
  const Tensor there = memory_.back().tensor({int64_t(values.size())}, DType::i32);
  copy(stream_, there, tensor_of(values));
  stream_.synchronize();
  return there;
}

// The median over repeats of as many calls as take about 20 ms, so that launches overlap.
double OpBench::seconds_of(const std::function<void()>& body) {
  const auto timed = [&](int calls) {
    stream_.synchronize();
    const Timer timer;
    for (int i = 0; i < calls; ++i) body();
    stream_.synchronize();
    return timer.seconds() / calls;
  };
  timed(1);
  const int calls = std::clamp(int(0.02 / std::max(timed(1), 1e-7)), 1, 200);
  std::vector<double> seconds;
  for (int i = 0; i < o_.repeats; ++i) seconds.push_back(timed(calls));
  return median(std::move(seconds));
}

void OpBench::report(const std::string& op, const std::string& shape, DType type, double bytes,
                     double flops, const std::function<void()>& body) {
  const double seconds = seconds_of(body);
  const double gbs = bytes / seconds / 1e9, gflops = flops / seconds / 1e9;
  Json row = {{"bench", "op"},      {"op", op},   {"shape", shape},  {"precision", name_of(type)},
              {"seconds", seconds}, {"gbs", gbs}, {"gflops", gflops}};
  if (copy_gbs_ > 0) row["bandwidth_fraction"] = gbs / copy_gbs_;
  if (product_gflops_ > 0 && flops > 0 && type == DType::bf16)
    row["compute_fraction"] = gflops / product_gflops_;
  log_info("{:24} {:24} {:5} {:10.1f} us  {:7.0f} GB/s ({:3.0f} %)  {:8.0f} GFLOP/s ({:3.0f} %)",
           op, shape, name_of(type), 1e6 * seconds, gbs,
           copy_gbs_ > 0 ? 100 * gbs / copy_gbs_ : 0.0, gflops,
           product_gflops_ > 0 ? 100 * gflops / product_gflops_ : 0.0);
  rows_.push_back(std::move(row));
}

void OpBench::ceilings() {
  const int64_t bytes = scaled(int64_t(1) << 30);
  const Tensor from = tensor({bytes / 4 + 1}), to = tensor({bytes / 4 + 1});
  copy_gbs_ = 2 * double(from.bytes()) / seconds_of([&] { copy(stream_, to, from); }) / 1e9;
  clear();
  const int64_t n = std::max<int64_t>(16, int64_t(8192 * std::cbrt(o_.scale)));
  product_gflops_ = product(n, DType::bf16);
  log_info("copy {:.0f} GB/s; product {}³ in bf16 {:.0f} GFLOP/s", copy_gbs_, n, product_gflops_);
  rows_.push_back({{"bench", "ceilings"},
                   {"copy_gbs", copy_gbs_},
                   {"product", n},
                   {"product_gflops", product_gflops_}});
}

double OpBench::product(int64_t n, DType type) {
  const Tensor x = tensor({n, n}, type), w = tensor({n, n}, type), y = tensor({n, n}, type);
  const double seconds = seconds_of([&] { linear_forward(stream_, y, x, w, none, none); });
  clear();
  return 2 * std::pow(double(n), 3) / seconds / 1e9;
}

void OpBench::norms(int64_t C) {
  const int64_t N = scaled(256 * 197);
  const std::string shape = fmt::format("{} x {}", N, C);
  const Tensor x = tensor({N, C}, DType::bf16), y = tensor({N, C}, DType::bf16),
               dx = tensor({N, C}, DType::bf16), gamma = tensor({C}, DType::bf16),
               beta = tensor({C}, DType::bf16), mean = tensor({N}), rstd = tensor({N}),
               dgamma = tensor({C}), dbeta = tensor({C});
  const double row = 2.0 * double(N) * double(C);
  report("layernorm_forward", shape, DType::bf16, 2 * row, 0,
         [&] { layernorm_forward(stream_, y, mean, rstd, x, gamma, beta, 1e-5f); });
  report("layernorm_backward", shape, DType::bf16, 4 * row, 0,
         [&] { layernorm_backward(stream_, dx, dgamma, dbeta, y, x, mean, rstd, gamma, y); });
  clear();
}

void OpBench::activations(int64_t F) {
  const int64_t N = scaled(256 * 197);
  const std::string shape = fmt::format("{} x {}", N, F);
  const Tensor x = tensor({N, F}, DType::bf16), y = tensor({N, F}, DType::bf16),
               dx = tensor({N, F}, DType::bf16);
  const double row = 2.0 * double(N) * double(F);
  report("gelu forward", shape, DType::bf16, 2 * row, 0,
         [&] { activation_forward(stream_, y, x, Activation::gelu); });
  report("gelu backward", shape, DType::bf16, 3 * row, 0,
         [&] { activation_backward(stream_, dx, y, x, Activation::gelu); });
  clear();
}

void OpBench::products(int64_t C, int64_t F) {
  const int64_t N = scaled(256 * 197);
  for (const auto& [inputs, outputs] : {std::pair{C, 3 * C}, {C, C}, {C, F}, {F, C}}) {
    const std::string shape = fmt::format("{} x {} -> {}", N, inputs, outputs);
    const double n = double(N), i = double(inputs), o = double(outputs);
    const double flops = 2 * n * i * o, bytes = 2 * (n * i + n * o + i * o);
    const Tensor x = tensor({N, inputs}, DType::bf16), y = tensor({N, outputs}, DType::bf16),
                 w = tensor({outputs, inputs}, DType::bf16, 0.02f),
                 b = tensor({outputs}, DType::bf16), dw = tensor({outputs, inputs}),
                 db = tensor({outputs});
    report("linear_forward", shape, DType::bf16, bytes, flops,
           [&] { linear_forward(stream_, y, x, w, b, none); });
    report("linear_backward_input", shape, DType::bf16, bytes, flops,
           [&] { linear_backward_input(stream_, x, y, w); });
    report("linear_backward_weight", shape, DType::bf16, bytes + 6 * i * o, flops,
           [&] { linear_backward_weight(stream_, dw, db, y, x); });
    clear();
  }
  epilogues(N, C, F);
}

// The products of an MLP with their activation, and the residual connection behind it.
void OpBench::epilogues(int64_t N, int64_t C, int64_t F) {
  const std::string shape = fmt::format("{} x {} <-> {}", N, C, F);
  const double n = double(N), c = double(C), f = double(F);
  const double flops = 2 * n * c * f, operands = 2 * (n * c + n * f + c * f);
  const Tensor x = tensor({N, C}, DType::bf16), y = tensor({N, C}, DType::bf16),
               u = tensor({N, F}, DType::bf16), h = tensor({N, F}, DType::bf16),
               widen = tensor({F, C}, DType::bf16, 0.02f),
               narrow = tensor({C, F}, DType::bf16, 0.02f), b = tensor({F}, DType::bf16);
  report("linear_activation_forward", shape, DType::bf16, operands + 2 * n * f, flops,
         [&] { linear_activation_forward(stream_, h, u, x, widen, b, Activation::gelu); });
  report("linear_activation_backward", shape, DType::bf16, operands + 2 * n * f, flops,
         [&] { linear_activation_backward(stream_, h, y, narrow, u, Activation::gelu); });
  report("linear_forward with skip", shape, DType::bf16, operands + 2 * n * c, flops,
         [&] { linear_forward(stream_, y, h, narrow, none, x); });
  clear();
}

void OpBench::attention(int64_t T, bool causal) {
  constexpr int kHeads = 12;
  constexpr int64_t kHeadSize = 64, C = kHeads * kHeadSize;
  const int64_t B = scaled(256), N = B * T;
  const std::string shape = fmt::format("{} x {}{}", B, T, causal ? " causal" : "");
  std::vector<int32_t> offsets;
  for (int64_t b = 0; b <= B; ++b) offsets.push_back(int32_t(b * T));
  const Tensor at = list(offsets), qkv = tensor({N, 3 * C}, DType::bf16),
               y = tensor({N, C}, DType::bf16), dqkv = tensor({N, 3 * C}, DType::bf16),
               lse = tensor({N, kHeads});
  const AttentionOptions options{.heads = kHeads, .key_heads = kHeads, .causal = causal};
  const double n = double(N), pairs = n * double(T) * (causal ? 0.5 : 1);
  const double row = 2 * n * double(C);
  report("attention_forward", shape, DType::bf16, 4 * row, 4 * pairs * double(C),
         [&] { attention_forward(stream_, y, lse, qkv, at, options); });
  report("attention_backward", shape, DType::bf16, 8 * row, 10 * pairs * double(C),
         [&] { attention_backward(stream_, dqkv, y, qkv, y, lse, at, options); });
  clear();
}

void OpBench::contrastive() {
  const int64_t B = scaled(32768), E = 512;
  const float unit = 1 / std::sqrt(float(E));
  const Tensor image = tensor({B, E}, DType::bf16, unit), text = tensor({B, E}, DType::bf16, unit),
               dimage = tensor({B, E}), dtext = tensor({B, E}), rows = tensor({B}),
               columns = tensor({B}), loss = tensor({1}), scale = tensor({1}), dscale = tensor({1});
  const double product = 2 * double(B) * double(B) * double(E);
  report("contrastive, both passes", fmt::format("{} x {}", B, E), DType::bf16,
         16.0 * double(B) * double(E), 4 * product, [&] {
           contrastive_forward(stream_, loss, rows, columns, image, text, scale);
           contrastive_backward(stream_, dimage, dtext, dscale, image, text, scale, rows, columns);
         });
  clear();
}

void OpBench::optimizer() {
  const int64_t N = scaled(150'000'000);
  const Tensor w = tensor({N}), m = tensor({N}), v = tensor({N}), g = tensor({N}),
               value = tensor({N}, DType::bf16);
  // Moments of squares are not negative: beta2 = 0 makes them those of the gradient.
  adamw(stream_, w, m, v, value, g, none, {.lr = 0, .beta2 = 0, .step = 1});
  report("adamw", fmt::format("{}", N), DType::f32, 30.0 * double(N), 0,
         [&] { adamw(stream_, w, m, v, value, g, none, {.lr = 1e-6f, .decay = 0.1f, .step = 2}); });
  clear();
}

// Crops of side × side pixels, with as many taps as bilinear ones have.
void OpBench::image_crops(int side) {
  const int64_t B = scaled(256), R = 224;
  const double scale = double(side) / double(R);
  const int most = 2 * int(std::ceil(scale)) + 1, count = std::min(most, int(2 * scale) + 1);
  std::vector<int32_t> taps{most};
  for (int64_t o = 0; o < R; ++o) taps.push_back(std::min(int(double(o) * scale), side - count));
  taps.insert(taps.end(), size_t(R), count);
  taps.insert(taps.end(), size_t(R * most), (1 << 22) / count);
  const int64_t bytes = int64_t(side) * side * 3,
                begin = (bytes + kCropAlignment - 1) / kCropAlignment;
  std::vector<int32_t> fields;
  for (int64_t b = 0; b < B; ++b)
    for (int value : {int(b * begin), side, side, 0, 0}) fields.push_back(value);
  memory_.emplace_back("bench", B * begin * kCropAlignment, o_.device);
  const Tensor pixels = memory_.back().tensor({B * begin * kCropAlignment}, DType::u8);
  memory_.emplace_back("bench", B * R * R * 3, o_.device);
  const Tensor y = memory_.back().tensor({B, R, R, 3}, DType::u8);
  const Tensor crops = list(fields).view({B, kCropFields}), all_taps = list(taps);
  report("resize_crops", fmt::format("{} x {}² -> {}²", B, side, R), DType::u8,
         double(B) * double(bytes + R * R * 3), 0,
         [&] { resize_crops(stream_, y, pixels, crops, all_taps); });
  clear();
}

// A step of LLaMA-7B's decoding with 256 slots, on the kernels that it takes: a row's bits do not depend on
// the others.
void OpBench::decoding() {
  const int64_t N = scaled(256), C = std::max<int64_t>(64, scaled(4096)), F = C * 43 / 16;
  stream_.batch_invariant = true;
  for (const auto& [inputs, outputs] : {std::pair{C, 3 * C}, {C, C}, {C, 2 * F}, {F, C}}) {
    const Tensor x = tensor({N, inputs}, DType::bf16), y = tensor({N, outputs}, DType::bf16),
                 w = tensor({outputs, inputs}, DType::bf16, 0.02f);
    const double n = double(N), i = double(inputs), o = double(outputs);
    report("decoding: linear_forward", fmt::format("{} x {} -> {}", N, inputs, outputs),
           DType::bf16, 2 * (n * i + n * o + i * o), 2 * n * i * o,
           [&] { linear_forward(stream_, y, x, w, none, none); });
    clear();
  }
  stream_.batch_invariant = false;
  const int64_t heads = std::max<int64_t>(1, C / 128);
  cached_attention(N, heads, 1);
  if (N > 1) cached_attention(N, heads, N);
}

// Prefixes of 130 tokens and 32 own ones; each is read once at best.
void OpBench::cached_attention(int64_t N, int64_t heads, int64_t prefixes) {
  constexpr int64_t kPrefix = 130, kOwn = 32, kHeadSize = 128;
  const int64_t C = heads * kHeadSize, pool = prefixes * kPrefix + N * kOwn;
  const auto per_row = [&](auto&& value) {
    std::vector<int32_t> values;
    for (int64_t n = 0; n < N; ++n) values.push_back(int32_t(value(n)));
    return list(values);
  };
  const Tensor qkv = tensor({N, 3 * C}, DType::bf16), y = tensor({N, C}, DType::bf16),
               keys = tensor({pool, C}, DType::bf16), values = tensor({pool, C}, DType::bf16),
               prefix_begin = per_row([&](int64_t n) { return n * prefixes / N * kPrefix; }),
               prefix_count = per_row([](int64_t) { return kPrefix; }),
               own_begin = per_row([&](int64_t n) { return prefixes * kPrefix + n * kOwn; }),
               own_count = per_row([](int64_t) { return kOwn; });
  const double c = double(C), tokens = double(N) * (kPrefix + kOwn);
  report(fmt::format("cached_attention, {} prefix{}", prefixes, prefixes == 1 ? "" : "es"),
         fmt::format("{} x {} heads", N, heads), DType::bf16,
         4 * double(pool) * c + 8 * double(N) * c, 4 * tokens * c, [&] {
           cached_attention_forward(stream_, y, qkv, keys, values, prefix_begin, prefix_count,
                                    own_begin, own_count, int(heads), int(heads));
         });
  clear();
}

void OpBench::token_choice() {
  const int64_t N = scaled(256), V = 32000;
  const Tensor logits = tensor({N, V}, DType::f32, 3), logprob = tensor({N});
  const Tensor token = list(std::vector<int32_t>(size_t(N), 0));
  std::vector<float> draws(size_t(N), 0.5f);
  const Tensor u = tensor({N});
  copy(stream_, u, tensor_of(draws));
  report("sample, top-p 0.95", fmt::format("{} x {}", N, V), DType::f32,
         4.0 * double(N) * double(V), 0, [&] {
           sample(stream_, token, logprob, logits, u, {0.9f, 0.95f});
         });
  clear();
}

Json OpBench::run() {
  ceilings();
  norms(768);
  activations(3072);
  products(768, 3072);
  attention(50, false);
  attention(77, true);
  attention(197, false);
  contrastive();
  optimizer();
  image_crops(400);
  decoding();
  token_choice();
  return rows_;
}

}  // namespace

Json bench_ops(const OpBenchOptions& options) { return OpBench(options).run(); }

double product_gflops(Device device, int64_t n, DType type) {
  return OpBench({device, 1, 3}).product(n, type);
}

}  // namespace laclip

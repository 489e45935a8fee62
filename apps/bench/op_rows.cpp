#include "apps/bench/op_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

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

Tensor Operands::memory(Shape shape, DType type) {
  const int64_t bytes = shape.elements() * size_of(type);
  size_ += bytes;
  memory_.emplace_back("bench", bytes, stream_.device());
  return memory_.back().tensor(shape, type);
}

Tensor Operands::normal(Shape shape, DType type, float deviation) {
  const Tensor tensor = memory(shape, type);
  noise_.fill(tensor, deviation);
  return tensor;
}

Tensor Operands::list(const std::vector<int32_t>& values) {
  const Tensor there = memory({int64_t(values.size())}, DType::i32);
  copy(stream_, there, tensor_of(values));
  return there;
}

Tensor Operands::list(const std::vector<float>& values) {
  const Tensor there = memory({int64_t(values.size())}, DType::f32);
  copy(stream_, there, tensor_of(values));
  return there;
}

namespace {

using Call = OpRow::Call;

class OpList {
 public:
  OpList(double scale, int64_t width) : scale_(scale), width_(width) {}
  std::vector<OpRow> rows() {
    norms(width_);
    activations(4 * width_);
    products(width_, 4 * width_);
    attention(50, false);
    attention(77, true);
    attention(197, false);
    contrastive();
    optimizer();
    image_crops(400);
    decoding();
    token_choice();
    return std::move(rows_);
  }

 private:
  int64_t scaled(int64_t count) const {
    return std::max<int64_t>(1, int64_t(std::llround(double(count) * scale_)));
  }
  int64_t image_tokens() const { return scaled(256 * 197); }
  template <class Make>
  void add(std::string op, std::string shape, DType type, double bytes, double flops, Make make) {
    rows_.push_back({std::move(op), std::move(shape), type, bytes, flops, std::move(make)});
  }

  void norms(int64_t C);
  void activations(int64_t F);
  void products(int64_t C, int64_t F);
  void product(int64_t N, int64_t inputs, int64_t outputs);
  void epilogues(int64_t N, int64_t C, int64_t F);
  void attention(int64_t T, bool causal);
  void contrastive();
  void optimizer();
  void image_crops(int side);
  void decoding();
  void cached_attention(int64_t N, int64_t heads, int64_t prefixes);
  void token_choice();

  double scale_;
  int64_t width_;
  std::vector<OpRow> rows_;
};

void OpList::norms(int64_t C) {
  const int64_t N = image_tokens();
  const std::string shape = fmt::format("{} x {}", N, C);
  const double row = 2.0 * double(N) * double(C);
  add("layernorm_forward", shape, DType::bf16, 2 * row, 0, [=](Operands& o) -> Call {
    const Tensor x = o.bf16({N, C}), y = o.bf16({N, C}), gamma = o.bf16({C}), beta = o.bf16({C}),
                 mean = o.f32({N}), rstd = o.f32({N});
    return [=](Stream& s) { layernorm_forward(s, y, mean, rstd, x, gamma, beta, 1e-5f); };
  });
  add("layernorm_backward", shape, DType::bf16, 4 * row, 0, [=](Operands& o) -> Call {
    const Tensor x = o.bf16({N, C}), dy = o.bf16({N, C}), dx = o.bf16({N, C}),
                 skip = o.bf16({N, C}), gamma = o.bf16({C}), mean = o.f32({N}), rstd = o.f32({N}),
                 dgamma = o.f32({C}), dbeta = o.f32({C});
    return [=](Stream& s) {
      layernorm_backward(s, dx, dgamma, dbeta, dy, x, mean, rstd, gamma, skip);
    };
  });
}

void OpList::activations(int64_t F) {
  const int64_t N = image_tokens();
  const std::string shape = fmt::format("{} x {}", N, F);
  const double row = 2.0 * double(N) * double(F);
  add("gelu forward", shape, DType::bf16, 2 * row, 0, [=](Operands& o) -> Call {
    const Tensor x = o.bf16({N, F}), y = o.bf16({N, F});
    return [=](Stream& s) { activation_forward(s, y, x, Activation::gelu); };
  });
  add("gelu backward", shape, DType::bf16, 3 * row, 0, [=](Operands& o) -> Call {
    const Tensor x = o.bf16({N, F}), dy = o.bf16({N, F}), dx = o.bf16({N, F});
    return [=](Stream& s) { activation_backward(s, dx, dy, x, Activation::gelu); };
  });
}

void OpList::products(int64_t C, int64_t F) {
  const int64_t N = image_tokens();
  for (const auto& [inputs, outputs] : {std::pair{C, 3 * C}, {C, C}, {C, F}, {F, C}})
    product(N, inputs, outputs);
  epilogues(N, C, F);
}

void OpList::product(int64_t N, int64_t inputs, int64_t outputs) {
  const std::string shape = fmt::format("{} x {} -> {}", N, inputs, outputs);
  const double n = double(N), i = double(inputs), o = double(outputs);
  const double flops = 2 * n * i * o, bytes = 2 * (n * i + n * o + i * o);
  add("linear_forward", shape, DType::bf16, bytes, flops, [=](Operands& of) -> Call {
    const Tensor x = of.bf16({N, inputs}), y = of.bf16({N, outputs}),
                 w = of.bf16({outputs, inputs}, 0.02f), b = of.bf16({outputs});
    return [=](Stream& s) { linear_forward(s, y, x, w, b, none); };
  });
  add("linear_backward_input", shape, DType::bf16, bytes, flops, [=](Operands& of) -> Call {
    const Tensor dx = of.bf16({N, inputs}), dy = of.bf16({N, outputs}),
                 w = of.bf16({outputs, inputs}, 0.02f);
    return [=](Stream& s) { linear_backward_input(s, dx, dy, w); };
  });
  add("linear_backward_weight", shape, DType::bf16, bytes + 6 * i * o, flops,
      [=](Operands& of) -> Call {
        const Tensor x = of.bf16({N, inputs}), dy = of.bf16({N, outputs}),
                     dw = of.f32({outputs, inputs}), db = of.f32({outputs});
        return [=](Stream& s) { linear_backward_weight(s, dw, db, dy, x); };
      });
}

// The products of an MLP with their activation, and the residual connection behind it.
void OpList::epilogues(int64_t N, int64_t C, int64_t F) {
  const std::string shape = fmt::format("{} x {} <-> {}", N, C, F);
  const double n = double(N), c = double(C), f = double(F);
  const double flops = 2 * n * c * f, operands = 2 * (n * c + n * f + c * f);
  add("linear_activation_forward", shape, DType::bf16, operands + 2 * n * f, flops,
      [=](Operands& o) -> Call {
        const Tensor x = o.bf16({N, C}), u = o.bf16({N, F}), h = o.bf16({N, F}),
                     w = o.bf16({F, C}, 0.02f), b = o.bf16({F});
        return [=](Stream& s) { linear_activation_forward(s, h, u, x, w, b, Activation::gelu); };
      });
  add("linear_activation_backward", shape, DType::bf16, operands + 2 * n * f, flops,
      [=](Operands& o) -> Call {
        const Tensor dy = o.bf16({N, C}), u = o.bf16({N, F}), du = o.bf16({N, F}),
                     w = o.bf16({C, F}, 0.02f);
        return [=](Stream& s) { linear_activation_backward(s, du, dy, w, u, Activation::gelu); };
      });
  add("linear_forward with skip", shape, DType::bf16, operands + 2 * n * c, flops,
      [=](Operands& o) -> Call {
        const Tensor h = o.bf16({N, F}), y = o.bf16({N, C}), x = o.bf16({N, C}),
                     w = o.bf16({C, F}, 0.02f);
        return [=](Stream& s) { linear_forward(s, y, h, w, none, x); };
      });
}

void OpList::attention(int64_t T, bool causal) {
  constexpr int kHeadSize = 64;
  const int64_t C = width_;
  const int heads = int(C) / kHeadSize;
  const int64_t B = scaled(256), N = B * T;
  const std::string shape = fmt::format("{} x {}{}", B, T, causal ? " causal" : "");
  const AttentionOptions options{.heads = heads, .key_heads = heads, .causal = causal};
  const double n = double(N), pairs = n * double(T) * (causal ? 0.5 : 1);
  const double row = 2 * n * double(C);
  std::vector<int32_t> offsets;
  for (int64_t b = 0; b <= B; ++b) offsets.push_back(int32_t(b * T));
  add("attention_forward", shape, DType::bf16, 4 * row, 4 * pairs * double(C),
      [=](Operands& o) -> Call {
        const Tensor qkv = o.bf16({N, 3 * C}), y = o.bf16({N, C}), lse = o.f32({N, heads}),
                     at = o.list(offsets);
        return [=](Stream& s) { attention_forward(s, y, lse, qkv, at, options); };
      });
  add("attention_backward", shape, DType::bf16, 8 * row, 10 * pairs * double(C),
      [=](Operands& o) -> Call {
        const Tensor qkv = o.bf16({N, 3 * C}), y = o.bf16({N, C}), lse = o.f32({N, heads}),
                     dy = o.bf16({N, C}), dqkv = o.bf16({N, 3 * C}), at = o.list(offsets);
        attention_forward(o.stream(), y, lse, qkv, at, options);
        return [=](Stream& s) { attention_backward(s, dqkv, dy, qkv, y, lse, at, options); };
      });
}

void OpList::contrastive() {
  const int64_t B = scaled(32768), E = 512;
  const double product = 2 * double(B) * double(B) * double(E);
  add("contrastive, both passes", fmt::format("{} x {}", B, E), DType::bf16,
      16.0 * double(B) * double(E), 4 * product, [=](Operands& o) -> Call {
        const float unit = 1 / std::sqrt(float(E));
        const Tensor image = o.bf16({B, E}, unit), text = o.bf16({B, E}, unit),
                     dimage = o.f32({B, E}), dtext = o.f32({B, E}), rows = o.f32({B}),
                     columns = o.f32({B}), loss = o.f32({1}), scale = o.f32({1}),
                     dscale = o.f32({1});
        return [=](Stream& s) {
          contrastive_forward(s, loss, rows, columns, image, text, scale);
          contrastive_backward(s, dimage, dtext, dscale, image, text, scale, rows, columns);
        };
      });
}

void OpList::optimizer() {
  const int64_t N = scaled(150'000'000);
  add("adamw", fmt::format("{}", N), DType::f32, 30.0 * double(N), 0, [=](Operands& o) -> Call {
    const Tensor w = o.f32({N}), m = o.f32({N}), v = o.f32({N}), g = o.f32({N}),
                 value = o.bf16({N});
    // Moments of squares are not negative: beta2 = 0 makes them those of the gradient.
    adamw(o.stream(), w, m, v, value, g, none, {.lr = 0, .beta2 = 0, .step = 1});
    return [=](Stream& s) {
      adamw(s, w, m, v, value, g, none, {.lr = 1e-6f, .decay = 0.1f, .step = 2});
    };
  });
}

// Crops of side × side pixels, with as many taps as bilinear ones have.
void OpList::image_crops(int side) {
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
  add("resize_crops", fmt::format("{} x {}² -> {}²", B, side, R), DType::u8,
      double(B) * double(bytes + R * R * 3), 0, [=](Operands& o) -> Call {
        const Tensor pixels = o.bytes({B * begin * kCropAlignment}), y = o.bytes({B, R, R, 3}),
                     crops = o.list(fields).view({B, kCropFields}), all_taps = o.list(taps);
        return [=](Stream& s) { resize_crops(s, y, pixels, crops, all_taps); };
      });
}

// A step of LLaMA-7B's decoding with 256 slots, on the kernels that it takes: a row's bits do not depend on
// the others.
void OpList::decoding() {
  const int64_t N = scaled(256), C = std::max<int64_t>(64, scaled(4096)), F = C * 43 / 16;
  for (const auto& [inputs, outputs] : {std::pair{C, 3 * C}, {C, C}, {C, 2 * F}, {F, C}}) {
    const double n = double(N), i = double(inputs), o = double(outputs);
    const Shape from{N, inputs}, to{N, outputs}, weights{outputs, inputs};
    add("decoding: linear_forward", fmt::format("{} x {} -> {}", N, inputs, outputs), DType::bf16,
        2 * (n * i + n * o + i * o), 2 * n * i * o, [=](Operands& of) -> Call {
          const Tensor x = of.bf16(from), y = of.bf16(to), w = of.bf16(weights, 0.02f);
          return [=](Stream& s) {
            s.batch_invariant = true;
            linear_forward(s, y, x, w, none, none);
            s.batch_invariant = false;
          };
        });
  }
  const int64_t heads = std::max<int64_t>(1, C / 128);
  cached_attention(N, heads, 1);
  if (N > 1) cached_attention(N, heads, N);
}

// Prefixes of 130 tokens and 32 own ones; each is read once at best.
void OpList::cached_attention(int64_t N, int64_t heads, int64_t prefixes) {
  constexpr int64_t kPrefix = 130, kOwn = 32, kHeadSize = 128;
  const int64_t C = heads * kHeadSize, pool = prefixes * kPrefix + N * kOwn;
  const auto per_row = [&](auto&& value) {
    std::vector<int32_t> values;
    for (int64_t n = 0; n < N; ++n) values.push_back(int32_t(value(n)));
    return values;
  };
  const auto prefix_begin = per_row([&](int64_t n) { return n * prefixes / N * kPrefix; }),
             prefix_count = per_row([](int64_t) { return kPrefix; }),
             own_begin = per_row([&](int64_t n) { return prefixes * kPrefix + n * kOwn; }),
             own_count = per_row([](int64_t) { return kOwn; });
  const double c = double(C), tokens = double(N) * (kPrefix + kOwn);
  add(fmt::format("cached_attention, {} prefix{}", prefixes, prefixes == 1 ? "" : "es"),
      fmt::format("{} x {} heads", N, heads), DType::bf16, 4 * double(pool) * c + 8 * double(N) * c,
      4 * tokens * c, [=](Operands& o) -> Call {
        const Tensor qkv = o.bf16({N, 3 * C}), y = o.bf16({N, C}), keys = o.bf16({pool, C}),
                     values = o.bf16({pool, C}), from = o.list(prefix_begin),
                     many = o.list(prefix_count), own_from = o.list(own_begin),
                     own_many = o.list(own_count);
        return [=](Stream& s) {
          cached_attention_forward(s, y, qkv, keys, values, from, many, own_from, own_many,
                                   int(heads), int(heads));
        };
      });
}

void OpList::token_choice() {
  const int64_t N = scaled(256), V = 32000;
  add("sample, top-p 0.95", fmt::format("{} x {}", N, V), DType::f32, 4.0 * double(N) * double(V),
      0, [=](Operands& o) -> Call {
        const Tensor logits = o.f32({N, V}, 3), logprob = o.f32({N}),
                     token = o.list(std::vector<int32_t>(size_t(N), 0)),
                     u = o.list(std::vector<float>(size_t(N), 0.5f));
        return [=](Stream& s) { sample(s, token, logprob, logits, u, {0.9f, 0.95f}); };
      });
}

}  // namespace

std::vector<OpRow> op_rows(double scale, int64_t width) { return OpList(scale, width).rows(); }

}  // namespace laclip

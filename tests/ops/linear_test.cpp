#include "kernels/ops/linear.h"

#include "tests/harness/error_of.h"
#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"
#include "tests/ops/activation_reference.h"

namespace laclip::test {
namespace {

const std::vector<std::array<int64_t, 3>> kProducts{{1, 1, 1},
                                                    {3, 17, 5},
                                                    {65, 33, 130},
                                                    {64, 48, 16}};

const auto linear_reference = [](auto& t) {
  const int64_t N = t('N'), O = t('O'), C = t('C');
  for (int64_t n = 0; n < N; ++n)
    for (int64_t o = 0; o < O; ++o) {
      auto sum = t["b"][size_t(o)];
      for (int64_t c = 0; c < C; ++c) sum += t["x"][size_t(n * C + c)] * t["w"][size_t(o * C + c)];
      t["y"][size_t(n * O + o)] = sum + t["skip"][size_t(n * O + o)];
    }
};

TEST(Linear, Forward) {
  for (auto [N, O, C] : kProducts)
    check_op(linear_forward, {{'N', N}, {'O', O}, {'C', C}}, linear_reference);
}

TEST(Linear, ForwardWithoutBiasOrSkip) {
  for (const char* absent : {"b", "skip"})
    check_op(linear_forward, {{'N', 5}, {'O', 6}, {'C', 7}},
             [absent](auto& t) {
               for (auto& value : t[absent]) value = 0;
               linear_reference(t);
             },
             std::tuple{}, {.absent = {absent}});
}

TEST(Linear, ForwardInPlaceOfSkip) {
  for (Device device : test_devices())
    for (DType type : {DType::f32, DType::bf16}) {
      Guarded x({9, 24}, type, device), w({16, 24}, type, device), skip({9, 16}, type, device),
          y({9, 16}, type, device);
      x.store(random_normal(9 * 24, 1));
      w.store(random_normal(16 * 24, 2));
      skip.store(random_normal(9 * 16, 3));
      Stream stream(device);
      linear_forward(stream, y.tensor, x.tensor, w.tensor, none, skip.tensor);
      linear_forward(stream, skip.tensor, x.tensor, w.tensor, none, skip.tensor);
      stream.synchronize();
      EXPECT_TRUE(y.bits() == skip.bits()) << name_of(device) << ' ' << name_of(type);
    }
}

// What is added in the product's type would lose the bits that the caller asked for.
TEST(Linear, SkipIsOfTheTypeOfY) {
  for (Device device : test_devices()) {
    const Guarded x({2, 3}, DType::bf16, device), w({4, 3}, DType::bf16, device),
        skip({2, 4}, DType::bf16, device), y({2, 4}, DType::f32, device);
    Stream stream(device);
    const auto error =
        error_of([&] { linear_forward(stream, y.tensor, x.tensor, w.tensor, none, skip.tensor); });
    EXPECT_EQ(error, "linear_forward: with skip, y is bf16 and not f32");
  }
}

TEST(Linear, ForwardToFp32) {  // logits
  check_op(linear_forward, {{'N', 5}, {'O', 6}, {'C', 70}},
           [](auto& t) {
             for (auto& value : t["skip"]) value = 0;
             linear_reference(t);
           },
           std::tuple{}, {.absent = {"skip"}, .types = {{"y", DType::f32}}});
}

TEST(Linear, Gradients) {
  for (auto [N, O, C] : kProducts) {
    const Sizes sizes{{'N', N}, {'O', O}, {'C', C}};
    check_gradient(linear_forward, linear_backward_input, sizes, linear_reference, std::tuple{},
                   std::tuple{});
    for (const OpInputs& inputs : {OpInputs{}, OpInputs{.absent = {"db"}}})
      check_gradient(linear_forward, linear_backward_weight, sizes, linear_reference, std::tuple{},
                     std::tuple{}, inputs);
  }
}

// Rewriting must not depend on which captions share a batch (docs/numerics.md).
TEST(Linear, ARowDoesNotDependOnTheOthers) {
  for (Device device : test_devices())
    for (DType type : {DType::f32, DType::bf16})
      for (int64_t C : {172, 168}) {  // rows that begin at multiples of 8, of 16 bytes in bf16
        const int64_t N = 70, O = 136;
        Guarded x({N, C}, type, device), w({O, C}, type, device);
        Guarded all({N, O}, DType::f32, device), few({N, O}, DType::f32, device);
        x.store(random_normal(N * C, 1));
        w.store(random_normal(O * C, 2));
        Stream stream(device);
        stream.batch_invariant = true;
        linear_forward(stream, all.tensor, x.tensor, w.tensor, none, none);
        stream.synchronize();
        const std::string want = all.bits();
        for (int64_t rows : {1, 2, 3, 16, 33, 64}) {
          linear_forward(stream, few.tensor.rows(0, rows), x.tensor.rows(0, rows), w.tensor, none,
                         none);
          stream.synchronize();
          EXPECT_EQ(few.bits().compare(0, size_t(rows * O) * 4, want, 0, size_t(rows * O) * 4), 0)
              << name_of(device) << ' ' << name_of(type) << ' ' << C << ' ' << rows;
        }
      }
}

TEST(LinearActivation, Forward) {
  for (Activation kind : {Activation::gelu, Activation::quick_gelu})
    for (auto [N, F, C] : kProducts)
      for (const OpInputs& inputs :
           {OpInputs{}, OpInputs{.absent = {"b"}}, OpInputs{.absent = {"u"}}})
        check_op(
            linear_activation_forward, {{'N', N}, {'F', F}, {'C', C}},
            [&, F = F, C = C](auto& t) {
              if (inputs.absent == std::vector<std::string>{"b"}) t["b"].assign(size_t(F), 0.0);
              for (size_t i = 0; i < t["h"].size(); ++i) {
                const size_t n = i / size_t(F), f = i % size_t(F);
                auto sum = t["b"][f];
                for (size_t c = 0; c < size_t(C); ++c)
                  sum += t["x"][n * size_t(C) + c] * t["w"][f * size_t(C) + c];
                t["u"][i] = sum;
                t["h"][i] = activation_reference(sum, kind);
              }
            },
            std::tuple{kind}, inputs);
}

TEST(LinearActivation, Backward) {
  for (Activation kind : {Activation::gelu, Activation::quick_gelu})
    for (auto [N, F, O] : kProducts)
      check_op(
          linear_activation_backward, {{'N', N}, {'F', F}, {'O', O}},
          [kind, F = F, O = O](auto& t) {
            for (size_t i = 0; i < t["du"].size(); ++i) {
              const size_t n = i / size_t(F), f = i % size_t(F);
              double sum = 0;
              for (size_t o = 0; o < size_t(O); ++o)
                sum += t["dy"][n * size_t(O) + o] * t["w"][o * size_t(F) + f];
              t["du"][i] = sum * slope_reference(t["u"][i], kind);
            }
          },
          std::tuple{kind});
}

const auto project_reference = [](auto& t) {
  const int64_t N = t('N'), O = t('O'), C = t('C');
  for (auto& y : t["y"]) y = 0;
  for (int64_t n = 0; n < N; ++n)
    for (int64_t c = 0; c < C; ++c)
      for (int64_t o = 0; o < O; ++o)
        t["y"][size_t(n * O + o)] += t["x"][size_t(n * C + c)] * t["w"][size_t(c * O + o)];
};

TEST(Project, ValueAndGradients) {
  for (auto [N, O, C] : kProducts) {
    const Sizes sizes{{'N', N}, {'O', O}, {'C', C}};
    check_op(project_forward, sizes, project_reference);
    check_gradient(project_forward, project_backward_input, sizes, project_reference, std::tuple{},
                   std::tuple{});
    check_gradient(project_forward, project_backward_weight, sizes, project_reference, std::tuple{},
                   std::tuple{});
  }
}

}  // namespace
}  // namespace laclip::test

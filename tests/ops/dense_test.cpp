// linear, project, activations, elementwise, reductions
#include <gtest/gtest.h>

#include "kernels/ops/activation.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/reduce.h"
#include "tests/harness/op_case.h"

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
      t["y"][size_t(n * O + o)] = sum;
    }
};

TEST(Linear, Forward) {
  for (auto [N, O, C] : kProducts)
    check_op(linear_forward, {{'N', N}, {'O', O}, {'C', C}}, linear_reference);
}

TEST(Linear, ForwardWithoutBias) {
  check_op(linear_forward, {{'N', 5}, {'O', 6}, {'C', 7}},
           [](auto& t) {
             for (auto& b : t["b"]) b = 0;
             linear_reference(t);
           },
           std::tuple{}, {.absent = {"b"}});
}

TEST(Linear, BackwardInput) {
  for (auto [N, O, C] : kProducts)
    check_op(linear_backward_input, {{'N', N}, {'O', O}, {'C', C}}, [](auto& t) {
      for (int64_t n = 0; n < t('N'); ++n)
        for (int64_t c = 0; c < t('C'); ++c) {
          double sum = 0;
          for (int64_t o = 0; o < t('O'); ++o)
            sum += t["dy"][size_t(n * t('O') + o)] * t["w"][size_t(o * t('C') + c)];
          t["dx"][size_t(n * t('C') + c)] = sum;
        }
    });
}

TEST(Linear, BackwardWeightAdds) {
  for (auto [N, O, C] : kProducts)
    check_op(linear_backward_weight, {{'N', N}, {'O', O}, {'C', C}}, [](auto& t) {
      for (int64_t n = 0; n < t('N'); ++n)
        for (int64_t o = 0; o < t('O'); ++o) {
          t["db"][size_t(o)] += t["dy"][size_t(n * t('O') + o)];
          for (int64_t c = 0; c < t('C'); ++c)
            t["dw"][size_t(o * t('C') + c)] +=
                t["dy"][size_t(n * t('O') + o)] * t["x"][size_t(n * t('C') + c)];
        }
    });
}

TEST(Linear, GradientOfTheInput) {
  check_gradient(linear_forward, linear_backward_input, {{'N', 9}, {'O', 20}, {'C', 31}},
                 linear_reference, std::tuple{}, std::tuple{});
}
TEST(Linear, GradientOfTheWeight) {
  check_gradient(linear_forward, linear_backward_weight, {{'N', 9}, {'O', 20}, {'C', 31}},
                 linear_reference, std::tuple{}, std::tuple{});
}

// Rewriting must not depend on which captions share a batch (docs/numerics.md).
TEST(Linear, ARowDoesNotDependOnTheOthers) {
  for (DType type : {DType::f32, DType::bf16}) {
    const int64_t N = 70, O = 130, C = 172;
    Guarded x({N, C}, type), w({O, C}, type), all({N, O}, DType::f32), few({N, O}, DType::f32);
    x.store(random_normal(N * C, 1));
    w.store(random_normal(O * C, 2));
    Stream stream;
    linear_forward(stream, all.tensor, x.tensor, w.tensor, none);
    for (int64_t rows : {1, 2, 3, 16, 33, 64}) {
      linear_forward(stream, few.tensor.rows(0, rows), x.tensor.rows(0, rows), w.tensor, none);
      EXPECT_EQ(std::memcmp(few.tensor.data, all.tensor.data, size_t(rows * O) * 4), 0) << rows;
    }
  }
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

const auto gelu_reference = [](auto& t) {
  using std::erf;
  for (size_t i = 0; i < t["x"].size(); ++i) {
    const auto x = t["x"][i];
    t["y"][i] = 0.5 * x * (1.0 + erf(x * 0.70710678118654752));
  }
};
const auto quick_gelu_reference = [](auto& t) {
  using std::exp;
  for (size_t i = 0; i < t["x"].size(); ++i) {
    const auto x = t["x"][i];
    t["y"][i] = x / (1.0 + exp(-1.702 * x));
  }
};

template <class Reference>
void check_activation(Activation kind, Reference reference) {
  for (auto [N, F] : {std::pair{1, 1}, {3, 17}, {40, 96}}) {
    const Sizes sizes{{'N', N}, {'F', F}};
    check_op(activation_forward, sizes, reference, std::tuple{kind});
    check_gradient(activation_forward, activation_backward, sizes, reference, std::tuple{kind},
                   std::tuple{kind});
  }
  OpInputs extremes;  // far out, the exponential must neither overflow nor lose the sign
  extremes.given["x"] = {-200, -90, -30, -6, -1e-6, 0, 1e-6, 6, 30, 90, 200};
  check_op(activation_forward, {{'N', 1}, {'F', 11}}, reference, std::tuple{kind}, extremes);
}
TEST(Activation, Gelu) { check_activation(Activation::gelu, gelu_reference); }
TEST(Activation, QuickGelu) { check_activation(Activation::quick_gelu, quick_gelu_reference); }

TEST(Swiglu, Value) {
  for (auto [N, width] : {std::pair{1, 1}, {3, 17}, {40, 96}})
    check_op(swiglu_forward, {{'N', N}, {'F', width}}, [](auto& t) {
      const int64_t F = t('F');
      for (int64_t n = 0; n < t('N'); ++n)
        for (int64_t f = 0; f < F; ++f) {
          const double g = t["x"][size_t(n * 2 * F + f)], u = t["x"][size_t(n * 2 * F + F + f)];
          t["y"][size_t(n * F + f)] = g / (1 + std::exp(-g)) * u;
        }
    });
}

TEST(Elementwise, Add) {
  check_op(add, {{'N', 5}, {'C', 19}}, [](auto& t) {
    for (size_t i = 0; i < t["y"].size(); ++i) t["y"][i] = t["a"][i] + t["b"][i];
  });
}

TEST(Elementwise, ConvertRoundsToNearestEven) {
  const std::vector<float> x{1.0f, 1.00390625f, 1.01171875f, -2.7f, 3e38f};
  std::vector<bf16> y(x.size());
  Stream stream;
  convert(stream, tensor_of(y.data(), {5}), tensor_of(x.data(), {5}));
  // 1 + 2^-8 is halfway between 1 and 1 + 2^-7: to even, 1. 1 + 3·2^-8 goes up to 1 + 2^-6.
  EXPECT_EQ(float(y[1]), 1.0f);
  EXPECT_EQ(float(y[2]), 1.015625f);
  EXPECT_NEAR(float(y[3]), -2.7f, 0.01f);
}

TEST(Reduce, SumOfSquares) {
  for (int64_t n : {1, 1000, 200000})
    check_op(sum_of_squares, {{'N', n}}, [](auto& t) {
      t["y"][0] = 0;
      for (double x : t["x"]) t["y"][0] += x * x;
    });
}

TEST(Reduce, NanIsSeen) {
  std::vector<float> x(100000, 1.0f), y(1);
  x[77777] = std::nanf("");
  Stream stream;
  sum_of_squares(stream, tensor_of(y.data(), {1}), tensor_of(x.data(), {100000}));
  EXPECT_TRUE(std::isnan(y[0]));
}

}  // namespace
}  // namespace laclip::test

#include "kernels/ops/linear.h"

#include "tests/harness/gradient.h"
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

TEST(Linear, ForwardToFp32) {  // logits
  check_op(linear_forward, {{'N', 5}, {'O', 6}, {'C', 70}}, linear_reference, std::tuple{},
           {.types = {{"y", DType::f32}}});
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

}  // namespace
}  // namespace laclip::test

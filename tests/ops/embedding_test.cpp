#include "kernels/ops/embedding.h"

#include "tests/harness/gradient.h"
#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

const auto embedding_reference = [](auto& t) {
  const auto C = size_t(t('C'));
  for (size_t n = 0; n < size_t(t('N')); ++n)
    for (size_t c = 0; c < C; ++c)
      t["y"][n * C + c] = t["tokens"][size_t(value_of(t["ids"][n])) * C + c] +
                          t["places"][size_t(value_of(t["positions"][n])) * C + c];
};
const OpInputs kIds{.given = {{"ids", {3, 0, 3, 1, 3}}, {"positions", {0, 1, 2, 0, 1}}}};

TEST(Embedding, ValueAndGradient) {  // a token that comes three times: its gradients add up
  for (int64_t C : {1, 7, 130}) {
    const Sizes sizes{{'N', 5}, {'C', C}, {'V', 4}, {'T', 3}};
    check_op(embedding_forward, sizes, embedding_reference, std::tuple{}, kIds);
    check_gradient(embedding_forward, embedding_backward, sizes, embedding_reference, std::tuple{},
                   std::tuple{}, kIds);
  }
}

TEST(Embedding, WithoutPositions) {
  OpInputs inputs = kIds;
  inputs.absent = {"places", "positions", "dplaces"};
  const auto reference = [](auto& t) {
    for (auto& place : t["places"]) place = 0;
    embedding_reference(t);
  };
  const Sizes sizes{{'N', 5}, {'C', 6}, {'V', 4}, {'T', 3}};
  check_op(embedding_forward, sizes, reference, std::tuple{}, inputs);
  check_gradient(embedding_forward, embedding_backward, sizes, reference, std::tuple{},
                 std::tuple{}, inputs);
}

TEST(Embedding, AnIdOutsideTheVocabularyIsNamed) {
  std::vector<float> table(8), y(4);
  const std::vector<int32_t> id{4};
  Stream stream;
  try {
    embedding_forward(stream, tensor_of(y.data(), {1, 2}), tensor_of(table.data(), {4, 2}), none,
                      tensor_of(id.data(), {1}), none);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "embedding_forward: token 4 of row 0 is outside 0..3");
  }
}

}  // namespace
}  // namespace laclip::test

#include "kernels/ops/embedding.h"

#include "tests/harness/error_of.h"
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
  for (int64_t C : {1, 7, 16, 130}) {
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

// The CUDA kernels sort tiles of 2048 rows by 8 bits of the id at a time and add up 32 sorted rows
// together: more rows than a tile, ids of two digits, and runs of equal ids that end within such a 32,
// with it, or some further on.
TEST(Embedding, GradientOfManyRows) {
  constexpr size_t N = 2085;
  OpInputs inputs;
  Random random(12, RandomUse::test);
  for (size_t n = 0; n < N; ++n) {
    const uint32_t kind = random.below(4);
    inputs.given["ids"].push_back(kind == 0 ? 299 : kind == 1 ? 256 : double(random.below(300)));
    inputs.given["positions"].push_back(double(n % 3));
  }
  for (int64_t C : {1, 8}) {
    const Sizes sizes{{'N', int64_t(N)}, {'C', C}, {'V', 300}, {'T', 3}};
    check_gradient(embedding_forward, embedding_backward, sizes, embedding_reference, std::tuple{},
                   std::tuple{}, inputs);
  }
  OpInputs ends;  // of runs at the border of two chunks, and a run that fills one
  for (int n = 0; n < 128; ++n) {
    ends.given["ids"].push_back(n < 32 ? 0 : n < 95 ? 1 : 2);
    ends.given["positions"].push_back(n < 64 ? 0 : n < 96 ? 1 : 2);
  }
  check_gradient(embedding_forward, embedding_backward, {{'N', 128}, {'C', 8}, {'V', 3}, {'T', 3}},
                 embedding_reference, std::tuple{}, std::tuple{}, ends);
}

TEST(Embedding, NoRows) {
  const Sizes sizes{{'N', 0}, {'C', 8}, {'V', 4}, {'T', 3}};
  check_op(embedding_forward, sizes, embedding_reference);
  check_op(embedding_backward, sizes, [](auto&) {});
}

// Row 1 has the given id and position; the gradients that the op leaves are those of rows 0 and 2.
void check_outside(Device device, double id, double position, const char* of_cpu,
                   const char* of_cuda) {
  SCOPED_TRACE(name_of(device));
  Stream stream(device);
  const auto operand = [&](Shape shape, DType type, const Doubles& values) {
    Guarded result(shape, type, device);
    result.store(values);
    return result;
  };
  const Guarded tokens = operand({4, 2}, DType::f32, Doubles(8, 1)), y({3, 2}, DType::f32, device),
                places = operand({2, 2}, DType::f32, Doubles(4, 1)),
                ids = operand({3}, DType::i32, {3, id, 0}),
                positions = operand({3}, DType::i32, {0, position, 1}),
                dtokens = operand({4, 2}, DType::f32, Doubles(8, 0)),
                dplaces = operand({2, 2}, DType::f32, Doubles(4, 0)),
                dy = operand({3, 2}, DType::f32, Doubles(6, 1));
  const std::string want = device == Device::cpu ? of_cpu : of_cuda;
  EXPECT_EQ(error_of([&] {
              embedding_forward(stream, y.tensor, tokens.tensor, places.tensor, ids.tensor,
                                positions.tensor);
              stream.synchronize();
            }),
            "embedding_forward: " + want);
  EXPECT_EQ(error_of([&] {
              embedding_backward(stream, dtokens.tensor, dplaces.tensor, dy.tensor, ids.tensor,
                                 positions.tensor);
              stream.synchronize();
            }),
            "embedding_backward: " + want);
  EXPECT_NO_THROW(stream.synchronize());
  EXPECT_TRUE(y.guards_intact() && dtokens.guards_intact() && dplaces.guards_intact());
  if (device == Device::cpu) return;
  const bool token = id < 0 || id > 3;
  EXPECT_EQ(dtokens.load(), (Doubles{1, 1, 0, 0, token ? 0. : 1, token ? 0. : 1, 1, 1}));
  EXPECT_EQ(dplaces.load(), (Doubles{1, 1, token ? 2. : 1, token ? 2. : 1}));
}

TEST(Embedding, AnIdOutsideTheVocabularyIsNamed) {
  for (Device device : test_devices()) {
    check_outside(device, 4, 1, "token 4 of row 1 is outside 0..3",
                  "row 1: id 4 is outside the table of 4");
    check_outside(device, -1, 1, "token -1 of row 1 is outside 0..3",
                  "row 1: id -1 is outside the table of 4");
    check_outside(device, 2, 2, "position 2 of row 1 is outside 0..1",
                  "row 1: id 2 is outside the table of 2");
  }
}

}  // namespace
}  // namespace laclip::test

// What a decoding step computes for a row has the same bits alone, among few and among many, wherever the row stands:
// the ops beside linear and cached_attention, whose own tests compare this.
#include <fmt/core.h>

#include "kernels/ops/activation.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/rmsnorm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/sampling.h"
#include "tests/harness/op_call.h"

namespace laclip::test {
namespace {

constexpr int64_t kRows = 70;

Guarded operand(Shape shape, DType type, uint64_t seed) {
  Guarded made(shape, type);
  made.store(random_normal(made.tensor.elements(), seed));
  return made;
}

// run(begin, count) computes these rows of `out`, which holds `given` before.
template <class Run>
void expect_rows_alone(const char* op, Guarded& out, Run&& run) {
  const std::string given = out.bits();
  const size_t row = given.size() / kRows;
  run(0, kRows);
  const std::string want = out.bits();
  for (int64_t count : {1, 2, 3, 5, 16, 33})
    for (int64_t begin : {int64_t{0}, int64_t{31}, kRows - count}) {
      const TaskSettings settings(2, count == 5 ? 1 : detail::kElementsPerTask);
      out.set_bits(given);
      run(begin, count);
      const size_t at = size_t(begin) * row, size = size_t(count) * row;
      EXPECT_EQ(out.bits().compare(at, size, want, at, size), 0)
          << op << ' ' << name_of(out.tensor.dtype) << ": " << count << " rows from " << begin;
    }
}

TEST(RowIndependence, OfTheOpsOfADecodingStep) {
  Stream stream;
  stream.batch_invariant = true;
  for (DType type : {DType::f32, DType::bf16}) {
    constexpr int64_t C = 43, V = 101, H = 3, K = 1, D = 6, Q = (H + 2 * K) * D;
    const Guarded x = operand({kRows, C}, type, 1), gamma = operand({C}, type, 2);
    Guarded y = operand({kRows, C}, type, 3);
    expect_rows_alone("rmsnorm", y, [&](int64_t begin, int64_t count) {
      rmsnorm_forward(stream, y.tensor.rows(begin, count), none, x.tensor.rows(begin, count),
                      gamma.tensor, 1e-5f);
    });

    const Guarded wide = operand({kRows, 2 * C}, type, 4);
    expect_rows_alone("swiglu", y, [&](int64_t begin, int64_t count) {
      swiglu_forward(stream, y.tensor.rows(begin, count), wide.tensor.rows(begin, count));
    });

    Guarded ids({kRows}, DType::i32), positions({kRows}, DType::i32);
    Doubles numbers;
    for (int64_t n = 0; n < kRows; ++n) numbers.push_back(double(n * 37 % V));
    ids.store(numbers);
    positions.store(numbers);
    const Guarded tokens = operand({V, C}, type, 5);
    expect_rows_alone("embedding", y, [&](int64_t begin, int64_t count) {
      embedding_forward(stream, y.tensor.rows(begin, count), tokens.tensor, none,
                        ids.tensor.rows(begin, count), none);
    });

    const Guarded table = operand({V, D}, DType::f32, 6);
    Guarded qkv = operand({kRows, Q}, type, 7);
    expect_rows_alone("rope", qkv, [&](int64_t begin, int64_t count) {
      rope_forward(stream, qkv.tensor.rows(begin, count), table.tensor,
                   positions.tensor.rows(begin, count), {int(H), int(K)});
    });
  }

  constexpr int64_t V = 1037;
  const Guarded logits = operand({kRows, V}, DType::f32, 8);
  Guarded u({kRows}, DType::f32), token({kRows}, DType::i32), logprob({kRows}, DType::f32);
  Doubles draws;
  for (int64_t n = 0; n < kRows; ++n) draws.push_back((double(n) + 0.5) / kRows);
  u.store(draws);
  for (Guarded* out : {&token, &logprob})
    expect_rows_alone("sample", *out, [&](int64_t begin, int64_t count) {
      sample(stream, token.tensor.rows(begin, count), logprob.tensor.rows(begin, count),
             logits.tensor.rows(begin, count), u.tensor.rows(begin, count), {0.9f, 0.95f});
    });
}

}  // namespace
}  // namespace laclip::test

#include "kernels/ops/kv_cache.h"

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

TEST(KvAppend, PutsKeysAndValuesInTheirPlaces) {
  check_op(kv_append, {{'N', 2}, {'T', 5}, {'C', 6}, {'Q', 24}},
           [](auto& t) {
             for (size_t n = 0; n < 2; ++n)
               for (size_t c = 0; c < 6; ++c) {
                 const auto place = size_t(t["where"][n]);
                 t["keys"][place * 6 + c] = t["qkv"][n * 24 + 12 + c];
                 t["values"][place * 6 + c] = t["qkv"][n * 24 + 18 + c];
               }
           },
           std::tuple{}, {.given = {{"where", {4, 1}}}});
}

// The definition over the union of the two ranges.
void check_ranges(const Doubles& prefix_begin, const Doubles& prefix_count, int64_t H, int64_t D) {
  const Doubles own_begin{100, 110, 120, 20, 30}, own_count{1, 5, 40, 3, 2};
  const int64_t K = 2, Q = (H + 2 * K) * D;
  const OpInputs inputs{.given = {{"prefix_begin", prefix_begin},
                                  {"prefix_count", prefix_count},
                                  {"own_begin", own_begin},
                                  {"own_count", own_count}}};
  check_op(
      cached_attention_forward, {{'N', 5}, {'Q', Q}, {'C', H * D}, {'G', K * D}, {'T', 160}},
      [=](auto& t) {
        for (size_t n = 0; n < 5; ++n)
          for (int64_t h = 0; h < H; ++h) {
            std::vector<int64_t> tokens;
            for (int i = 0; i < int(prefix_count[n]); ++i)
              tokens.push_back(int64_t(prefix_begin[n]) + i);
            for (int i = 0; i < int(own_count[n]); ++i) tokens.push_back(int64_t(own_begin[n]) + i);
            const int64_t head = h / (H / K) * D;
            Doubles p;
            double sum = 0;
            for (int64_t token : tokens) {
              double score = 0;
              for (int64_t d = 0; d < D; ++d)
                score += t["qkv"][n * size_t(Q) + size_t(h * D + d)] *
                         t["keys"][size_t(token * K * D + head + d)];
              p.push_back(std::exp(score / std::sqrt(double(D))));
              sum += p.back();
            }
            for (int64_t d = 0; d < D; ++d) {
              double y = 0;
              for (size_t j = 0; j < tokens.size(); ++j)
                y += p[j] / sum * t["values"][size_t(tokens[j] * K * D + head + d)];
              t["y"][n * size_t(H * D) + size_t(h * D + d)] = y;
            }
          }
      },
      std::tuple{int(H), int(K)}, inputs);
}

TEST(CachedAttention, ReadsPrefixAndOwnTokens) {
  check_ranges({2, 2, 2, 0, 9}, {17, 17, 17, 0, 3}, 4, 24);
}

TEST(CachedAttention, RowsOfOnePrefixOfSeveralTiles) {
  for (auto [H, D] : {std::pair{2, 64}, {6, 40}, {18, 9}, {2, 160}})
    check_ranges(Doubles(5, 2), Doubles(5, 71), H, D);
}

TEST(CachedAttention, RowsOfPrefixesOfSeveralTiles) {
  check_ranges({2, 3, 3, 0, 9}, {71, 71, 40, 0, 64}, 4, 24);
}

TEST(CachedAttention, ARowDoesNotDependOnTheOthers) {
  const int64_t N = 50, T = 400, H = 4, K = 2, D = 16;
  Guarded qkv({N, (H + 2 * K) * D}, DType::f32), keys({T, K * D}, DType::f32),
      values({T, K * D}, DType::f32), all({N, H * D}, DType::f32), one({1, H * D}, DType::f32);
  qkv.store(random_normal(qkv.tensor.elements(), 1));
  keys.store(random_normal(keys.tensor.elements(), 2));
  values.store(random_normal(values.tensor.elements(), 3));
  std::vector<int32_t> prefix_begin(N), prefix_count(N), own_begin(N), own_count(N);
  for (int32_t n = 0; n < N; ++n) {
    prefix_begin[size_t(n)] = n < 45 ? 0 : 7;
    prefix_count[size_t(n)] = n < 45 ? 37 : 21;
    own_begin[size_t(n)] = 60 + n;
    own_count[size_t(n)] = 1 + n % 7;
  }
  auto range = [](std::vector<int32_t>& list, int64_t begin, int64_t count) {
    return tensor_of(list.data() + begin, {count});
  };
  Stream stream;
  auto run = [&](Tensor y, int64_t begin, int64_t count) {
    cached_attention_forward(stream, y, qkv.tensor.rows(begin, count), keys.tensor, values.tensor,
                             range(prefix_begin, begin, count), range(prefix_count, begin, count),
                             range(own_begin, begin, count), range(own_count, begin, count), int(H),
                             int(K));
  };
  run(all.tensor, 0, N);
  for (int64_t n : {0, 3, 31, 32, 44, 45, 49}) {
    run(one.tensor, n, 1);
    EXPECT_EQ(std::memcmp(one.tensor.data, all.tensor.rows(n, 1).data, size_t(H * D) * 4), 0) << n;
  }
}

}  // namespace
}  // namespace laclip::test

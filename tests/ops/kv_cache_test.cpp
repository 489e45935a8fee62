#include "kernels/ops/kv_cache.h"

#include <deque>

#include "tests/harness/op_case.h"

namespace laclip::test {
namespace {

TEST(KvAppend, PutsKeysAndValuesInTheirPlaces) {
  for (size_t C : {6, 16})  // without and with access to 16 bytes
    check_op(kv_append, {{'N', 2}, {'T', 5}, {'C', int64_t(C)}, {'Q', int64_t(4 * C)}},
             [C](auto& t) {
               for (size_t n = 0; n < 2; ++n)
                 for (size_t c = 0; c < C; ++c) {
                   const auto place = size_t(t["where"][n]);
                   t["keys"][place * C + c] = t["qkv"][n * 4 * C + 2 * C + c];
                   t["values"][place * C + c] = t["qkv"][n * 4 * C + 3 * C + c];
                 }
             },
             std::tuple{}, {.given = {{"where", {4, 1}}}});
}

TEST(KvAppend, APlaceOutsideThePoolIsAnError) {
  for (Device device : test_devices())
    for (double place : {-1, 5}) {
      SCOPED_TRACE(name_of(device));
      Stream stream(device);
      const Guarded keys({5, 8}, DType::f32, device), values({5, 8}, DType::f32, device),
          qkv({2, 32}, DType::f32, device);
      Guarded where({2}, DType::i32, device);
      where.store({0, place});
      const auto run = [&] {
        kv_append(stream, keys.tensor, values.tensor, qkv.tensor, where.tensor);
        stream.synchronize();
      };
      EXPECT_THROW(run(), Error);
      EXPECT_TRUE(keys.guards_intact() && values.guards_intact());
    }
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
  for (auto [H, D] : {std::pair{2, 64}, {6, 40}, {18, 9}, {2, 128}, {2, 160}})
    check_ranges(Doubles(5, 2), Doubles(5, 71), H, D);
}

TEST(CachedAttention, RowsOfPrefixesOfSeveralTiles) {
  check_ranges({2, 3, 3, 0, 9}, {71, 71, 40, 0, 64}, 4, 24);
}

// Rows of one prefix, of another one, of prefixes of their own and of none stand side by side.
void check_rows_alone(Device device, DType type, int64_t D) {
  const int64_t N = 50, T = 400, H = 4, K = 2;
  Guarded qkv({N, (H + 2 * K) * D}, type, device), keys({T, K * D}, type, device),
      values({T, K * D}, type, device), all({N, H * D}, type, device),
      one({1, H * D}, type, device);
  uint64_t seed = 1;
  for (Guarded* operand : {&qkv, &keys, &values})
    operand->store(random_normal(operand->tensor.elements(), seed++));
  Doubles ranges[4];
  for (int n = 0; n < N; ++n) {
    ranges[0].push_back(n < 30 ? 0 : n < 37 ? 7 : n);
    ranges[1].push_back(n < 30 ? 70 : n < 37 ? 21 : n < 44 ? n : 0);
    ranges[2].push_back(120 + n);
    ranges[3].push_back(1 + 5 * (n % 7));
  }
  std::deque<Guarded> lists;
  for (const Doubles& range : ranges) lists.emplace_back(Shape{N}, DType::i32, device).store(range);
  Stream stream(device);
  const auto run = [&](const Guarded& y, int64_t begin, int64_t count) {
    const auto of = [&](int i) { return lists[size_t(i)].tensor.rows(begin, count); };
    cached_attention_forward(stream, y.tensor, qkv.tensor.rows(begin, count), keys.tensor,
                             values.tensor, of(0), of(1), of(2), of(3), int(H), int(K));
    stream.synchronize();
  };
  run(all, 0, N);
  const std::string want = all.bits();
  const auto bytes = size_t(H * D * size_of(type));
  for (int64_t n : {0, 3, 15, 16, 29, 30, 36, 37, 43, 44, 49}) {
    run(one, n, 1);
    EXPECT_EQ(one.bits(), want.substr(size_t(n) * bytes, bytes)) << "row " << n;
  }
}

TEST(CachedAttention, ARowDoesNotDependOnTheOthers) {
  for (Device device : test_devices())
    for (DType type : {DType::f32, DType::bf16})
      for (int64_t D : {16, 20, 64}) {
        SCOPED_TRACE(fmt::format("{} {} {}", name_of(device), name_of(type), D));
        check_rows_alone(device, type, D);
      }
}

}  // namespace
}  // namespace laclip::test

// The generator's promises, on a small LLaMA with random weights: what a request yields depends on its
// key and the seed alone; prefixes are computed once, beside the decode steps; the pool is as large as
// its options say.
#include "models/llama_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.h"
#include "base/philox.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/core/packed_weights.h"

namespace laclip {
namespace {

using Ids = std::vector<int32_t>;

LlamaConfig small_config() {
  LlamaConfig c;
  c.width = 32;
  c.mlp_width = 48;
  c.layers = 2;
  c.heads = 4;
  c.key_heads = 2;
  c.head_size = 8;
  c.vocabulary = 61;
  c.max_length = 160;
  return c;
}

struct Small {
  explicit Small(Device device = Device::cpu, DType type = DType::f32)
      : model(small_config(), type, Training::no, device) {
    model.parameters().initialize(4);
  }
  Llama model;
};

GeneratorOptions options(int slots, int max_rows) {
  GeneratorOptions o;
  o.slots = slots;
  o.max_rows = max_rows;
  o.max_own_tokens = 64;
  o.max_prefix_tokens = 48;
  o.max_new_tokens = 20;
  o.temperature = 0.9f;
  o.top_p = 0.95f;
  o.seed = 7;
  o.stop_tokens.assign(size_t(small_config().vocabulary), false);
  o.stop_tokens[3] = o.stop_tokens[4] = o.stop_tokens[5] = true;  // texts of different lengths
  return o;
}

Ids tokens_of(uint64_t number, int count) {
  Random random(11, RandomUse::test, number);
  Ids ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = int32_t(random.below(61));
  return ids;
}

using Result = std::tuple<Ids, double, Generation::Finish>;
using Results = std::map<uint64_t, Result>;

// Requests 0 .. count-1, of which so many in a row share a prefix, as the rewriting job gives them.
// Their lengths and those of the prefixes differ. Stops behind `most` results.
Results rewrite(LlamaGenerator& generator, uint64_t count, uint64_t run_length,
                const Results& done_before = {}, size_t most = 1000) {
  Results results;
  uint64_t at = 0;
  int prefix = -1;
  uint64_t prefix_of = 0;
  const auto drop = [&] {
    if (prefix >= 0) generator.drop_prefix(prefix);
    prefix = -1;
  };
  generator.run(
      [&]() -> std::optional<GenerationRequest> {
        while (done_before.count(at) > 0) ++at;
        if (at >= count) {
          drop();
          return std::nullopt;
        }
        const uint64_t run = at / run_length;
        if (prefix < 0 || run != prefix_of) {
          drop();
          prefix = generator.add_prefix(tokens_of(1000 + run, 20 + int(run * 7 % 29)));
          prefix_of = run;
        }
        const uint64_t key = at++;
        return GenerationRequest{key, prefix, tokens_of(key, 1 + int(key * 5 % 40))};
      },
      [&](Generation r) {
        EXPECT_TRUE(results.emplace(r.key, Result{r.tokens, r.log_probability, r.finish}).second);
        return results.size() < most;
      });
  drop();
  return results;
}

Results rewrite(const GeneratorOptions& o, uint64_t run_length = 5, DType type = DType::f32) {
  Small small(Device::cpu, type);
  LlamaGenerator generator(small.model, o);
  return rewrite(generator, 90, run_length);
}

// Keys whose results differ, log-probabilities to the last bit.
std::vector<uint64_t> different(const Results& results, const Results& want) {
  std::vector<uint64_t> keys;
  for (const auto& [key, result] : want)
    if (const auto found = results.find(key); found == results.end() || found->second != result)
      keys.push_back(key);
  EXPECT_EQ(results.size(), want.size());
  return keys;
}

class LlamaGenerators : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Types, LlamaGenerators, testing::Values(DType::f32, DType::bf16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

TEST_P(LlamaGenerators, ResultsDependOnKeyAndSeedAlone) {
  const Results want = rewrite(options(1, 1), 5, GetParam());  // a row at a time
  ASSERT_EQ(want.size(), 90u);
  std::map<Generation::Finish, int> finishes;
  for (const auto& [key, result] : want) ++finishes[std::get<2>(result)];
  EXPECT_GT(finishes[Generation::Finish::stop], 20);
  EXPECT_GT(finishes[Generation::Finish::length], 5);
  for (const auto& [slots, rows] :
       {std::pair{1, 512}, {7, 7}, {7, 30}, {7, 512}, {64, 64}, {64, 100}, {64, 512}})
    EXPECT_THAT(different(rewrite(options(slots, rows), 5, GetParam()), want), testing::IsEmpty())
        << slots << " slots, " << rows << " rows";
  GeneratorOptions other = options(7, 512);
  other.seed = 8;
  EXPECT_GT(different(rewrite(other, 5, GetParam()), want).size(), 80u);
  GeneratorOptions unpacked = options(7, 30);
  unpacked.keep_packed_weights = false;
  EXPECT_THAT(different(rewrite(unpacked, 5, GetParam()), want), testing::IsEmpty());
}

// Few places in the pool make requests wait, and change nothing else.
TEST_P(LlamaGenerators, ResultsDoNotDependOnThePool) {
  GeneratorOptions tight = options(16, 40);
  tight.usual_own_tokens = 12;  // a third of what most need
  tight.prefixes = 1;
  EXPECT_THAT(different(rewrite(tight, 3, GetParam()), rewrite(options(16, 512), 3, GetParam())),
              testing::IsEmpty());
}

TEST(LlamaGenerator, ResultsOnCudaDoNotDependOnSlots) {
  Small small(Device::cuda);
  LlamaGenerator one(small.model, options(1, 8)), many(small.model, options(7, 40));
  const Results want = rewrite(one, 9, 3);
  EXPECT_EQ(want.size(), 9u);
  EXPECT_THAT(different(rewrite(many, 9, 3), want), testing::IsEmpty());
}

TEST(LlamaGenerator, AStoppedRunLeavesNothingBehind) {
  const Results want = rewrite(options(7, 64));
  Small small;
  GeneratorOptions o = options(7, 64);
  o.prefixes = 2;
  LlamaGenerator generator(small.model, o);
  Results all;
  for (size_t most : {1, 4, 30, 1000}) all.merge(rewrite(generator, 90, 5, all, most));
  EXPECT_THAT(different(all, want), testing::IsEmpty());
}

TEST(LlamaGenerator, APrefixIsComputedOnceBesideTheDecodeSteps) {
  Small small;
  GeneratorOptions beside = options(8, 512);
  beside.stop_tokens.clear();  // lengths decide the number of calls, and nothing else
  LlamaGenerator generator(small.model, beside);
  EXPECT_EQ(rewrite(generator, 90, 5).size(), 90u);
  EXPECT_EQ(generator.prefixes_computed(), 18);
  // The same requests with their prefixes as a part of their own tokens: as many calls, because
  // a prefix takes none of its own.
  GeneratorOptions o = options(8, 512);
  o.stop_tokens.clear();
  o.max_own_tokens = 112;
  o.max_prefix_tokens = 0;
  LlamaGenerator whole(small.model, o);
  uint64_t at = 0;
  whole.run(
      [&]() -> std::optional<GenerationRequest> {
        if (at == 90) return std::nullopt;
        Ids ids = tokens_of(1000 + at / 5, 20 + int(at / 5 * 7 % 29));
        const Ids own = tokens_of(at, 1 + int(at * 5 % 40));
        ids.insert(ids.end(), own.begin(), own.end());
        return GenerationRequest{at++, -1, ids};
      },
      [](Generation) { return true; });
  EXPECT_EQ(generator.forward_calls(), whole.forward_calls());
}

TEST(LlamaGenerator, ThePoolIsAsLargeAsItsOptionsSay) {
  GeneratorOptions o = options(64, 512);
  o.usual_own_tokens = 30;
  o.prefixes = 4;
  EXPECT_EQ(LlamaGenerator::pool_tokens(o), 63 * 30 + 64 + 4 * 48 + 1);
  o.usual_own_tokens = o.prefixes = 0;
  EXPECT_EQ(LlamaGenerator::pool_tokens(o), 64 * 64 + (64 + o.ahead()) * 48 + 1);
  Small small(Device::cuda);
  EXPECT_EQ(LlamaGenerator::memory(small.model, o).pool,
            2 * 2 * 16 * 4 * LlamaGenerator::pool_tokens(o));  // keys and values, layers, width
  if (cuda_is_a_gpu())
    return;  // allocates in granules of 2 MiB, and other programs share its memory
  const int64_t before = cuda_memory().free;
  const LlamaGenerator generator(small.model, o);
  const int64_t taken = before - cuda_memory().free,
                promised = LlamaGenerator::memory(small.model, o).total();
  EXPECT_GE(taken, promised);
  EXPECT_LE(taken, promised + 65536);  // a word for faults, alignment
}

// The panels of so small matrices are filled up to a multiple of their width, which the plan leaves out.
TEST(LlamaGenerator, ThePlanCountsThePackedWeights) {
  Small small(Device::cpu, DType::bf16);
  GeneratorOptions o = options(2, 64);
  constexpr int64_t kWidth = 32, kLayer = kWidth * (32 + 2 * 16 + 32 + 3 * 48);
  EXPECT_EQ(LlamaGenerator::memory(small.model, o).packed_weights, 2 * (2 * kLayer + 61 * kWidth));
  for (bool keep : {true, false}) {
    o.keep_packed_weights = keep;
    LlamaGenerator generator(small.model, o);
    rewrite(generator, 3, 3);
    int64_t taken = 0;
    for (const auto& [key, copy] : generator.stream().packed_weights().copies)
      taken += copy.bytes();
    const int64_t promised = LlamaGenerator::memory(small.model, o).packed_weights;
    EXPECT_GE(taken, promised);
    EXPECT_LE(taken, 4 * promised);
  }
  EXPECT_EQ(LlamaGenerator::memory(Small(Device::cuda).model, options(2, 64)).packed_weights, 0);
}

TEST(LlamaGenerator, PrefixesThatAreHeldAndLeaveNoRoom) {
  Small small;
  GeneratorOptions o = options(2, 64);
  o.prefixes = 1;
  LlamaGenerator generator(small.model, o);
  generator.add_prefix(tokens_of(1, 48));
  const int second = generator.add_prefix(tokens_of(2, 48));
  bool given = false;
  const auto run = [&] {
    generator.run(
        [&]() -> std::optional<GenerationRequest> {
          if (std::exchange(given, true)) return std::nullopt;
          return GenerationRequest{0, second, {1, 2}};
        },
        [](Generation) { return true; });
  };
  EXPECT_THAT(run, testing::ThrowsMessage<Error>(
                       testing::HasSubstr("no room for another prefix beside 1")));
  EXPECT_THROW(generator.add_prefix(tokens_of(3, 49)), Error);
  EXPECT_THROW(generator.add_prefix({}), Error);
}

}  // namespace
}  // namespace laclip

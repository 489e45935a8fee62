// A real trained model: stories260K (LLaMA architecture with grouped heads), against logits and
// greedy texts that were computed in float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/check.h"
#include "base/json.h"
#include "models/llama_generator.h"
#include "models/llama_import.h"
#include "tests/harness/reference_data.h"

namespace laclip {
namespace {

using Ids = std::vector<int32_t>;
constexpr const char* kData = "stories260k";

struct Stories {
  explicit Stories(Device device = Device::cpu)
      : model(load_llama(test::reference_data("stories260k/stories260K.bin"), DType::f32,
                         Training::no, device)) {}
  std::unique_ptr<Llama> model;
  Json cases = read_json(test::reference_data("stories260k/golden/cases.json"));
};

GeneratorOptions greedy(int slots, int new_tokens) {
  GeneratorOptions options;
  options.slots = slots;
  options.max_rows = std::max(slots, 16);  // prompts take several calls
  options.max_own_tokens = 256;
  options.max_prefix_tokens = 64;
  options.max_new_tokens = new_tokens;
  return options;
}

// All requests in one batch, answers in their order.
std::vector<Generation> generate(LlamaGenerator& generator,
                                 std::vector<GenerationRequest> requests) {
  std::vector<Generation> results(requests.size());
  size_t given = 0;
  generator.run(
      [&]() -> std::optional<GenerationRequest> {
        if (given == requests.size()) return std::nullopt;
        requests[given].key = given;
        return requests[given++];
      },
      [&](Generation result) {
        results[result.key] = std::move(result);
        return true;
      });
  return results;
}

TEST(Stories260k, LogitsAtEveryPromptPosition) {
  LACLIP_REFERENCE_DATA(kData);
  Stories stories;
  LlamaGenerator generator(*stories.model, greedy(4, 1));
  for (const Json& item : stories.cases) {
    const auto got = generator.prompt_logits(item["ids"].get<Ids>());
    const auto bytes = read_bytes(test::reference_data("stories260k/golden") /
                                  item["logits_file"].get<std::string>());
    ASSERT_EQ(got.size() * 4, bytes.size());
    std::vector<float> want(got.size());
    std::memcpy(want.data(), bytes.data(), bytes.size());
    float worst = 0;
    for (size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] - want[i]));
    EXPECT_LE(worst, 1e-4f) << item["prompt"];
  }
}

Ids greedy_ids(const Json& item) {  // without the prompt
  const auto all = item["greedy_ids_64"].get<Ids>();
  const auto prompt = item["ids"].get<Ids>();
  if (all.size() > prompt.size() && std::equal(prompt.begin(), prompt.end(), all.begin()))
    return {all.begin() + long(prompt.size()), all.end()};
  return all;
}

TEST(Stories260k, GreedyTokensSinglyAndInOneBatch) {
  LACLIP_REFERENCE_DATA(kData);
  Stories stories;
  LlamaGenerator single(*stories.model, greedy(1, 64)), batched(*stories.model, greedy(6, 64));
  std::vector<GenerationRequest> requests;
  for (const Json& item : stories.cases) requests.push_back({0, -1, item["ids"].get<Ids>()});
  const auto together = generate(batched, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    Ids want = greedy_ids(stories.cases[i]);
    ASSERT_GE(want.size(), 32u);
    Ids alone = generate(single, {requests[i]})[0].tokens, batch = together[i].tokens;
    alone.resize(want.size());
    batch.resize(want.size());
    EXPECT_EQ(alone, want) << "prompt " << i << " alone";
    EXPECT_EQ(batch, want) << "prompt " << i << " in a batch";
  }
}

TEST(Stories260k, GreedyTokensOnCuda) {
  LACLIP_REFERENCE_DATA(kData);
  Stories stories(Device::cuda);
  LlamaGenerator generator(*stories.model, greedy(6, 64));
  std::vector<GenerationRequest> requests;
  for (const Json& item : stories.cases) requests.push_back({0, -1, item["ids"].get<Ids>()});
  const auto results = generate(generator, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    const Ids want = greedy_ids(stories.cases[i]);
    Ids got = results[i].tokens;
    got.resize(want.size());
    EXPECT_EQ(got, want) << "prompt " << i;
  }
  EXPECT_GT(generator.graph_launches(), 50);  // of some 70 steps, most of the same form
}

class SharedPrefix : public testing::TestWithParam<Device> {};

TEST_P(SharedPrefix, GreedyTokens) {
  LACLIP_REFERENCE_DATA(kData);
  Stories stories(GetParam());
  LlamaGenerator generator(*stories.model, greedy(3, 64));
  int prompts = 0;
  for (const Json& item : stories.cases) {
    const auto prompt = item["ids"].get<Ids>();
    if (prompt.size() < 2) continue;
    if (GetParam() == Device::cuda && prompts++ == 2) break;  // enough, at the host's speed
    // Three requests share the prefix at different cuts of the same prompt.
    std::vector<GenerationRequest> requests;
    std::vector<int> prefixes;
    for (size_t cut : {size_t(1), prompt.size() / 2, prompt.size() - 1}) {
      cut = std::max<size_t>(cut, 1);
      prefixes.push_back(generator.add_prefix({prompt.begin(), prompt.begin() + long(cut)}));
      requests.push_back({0, prefixes.back(), {prompt.begin() + long(cut), prompt.end()}});
    }
    const auto results = generate(generator, requests);
    for (int prefix : prefixes) generator.drop_prefix(prefix);
    const Ids want = greedy_ids(item);
    for (auto result : results) {
      result.tokens.resize(want.size());
      EXPECT_EQ(result.tokens, want) << item["prompt"];
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Stories260k, SharedPrefix, testing::Values(Device::cpu, Device::cuda),
                         [](const auto& p) { return std::string(name_of(p.param)); });

// Each request has a prefix of its own, which is dropped when the next one is asked for: it lives as long
// as its request waits or runs, and its room is free again after every run, also one that stops early.
TEST(Stories260k, PrefixesLiveAsLongAsTheirRequests) {
  LACLIP_REFERENCE_DATA(kData);
  Stories stories;
  LlamaGenerator generator(*stories.model, greedy(16, 16));
  // The first one is the shortest, so that a run which stops after it has others waiting.
  const auto item = [&](size_t key) { return stories.cases[key == 0 ? 1 : 2 + key % 4]; };
  for (bool early : {false, true, true, false}) {
    size_t given = 0, finished = 0;
    int prefix = -1;
    generator.run(
        [&]() -> std::optional<GenerationRequest> {
          if (prefix >= 0) generator.drop_prefix(prefix);
          prefix = -1;
          if (given == 40) return std::nullopt;
          const auto ids = item(given)["ids"].get<Ids>();
          prefix = generator.add_prefix({ids[0]});
          return GenerationRequest{given++, prefix, {ids.begin() + 1, ids.end()}};
        },
        [&](Generation result) {
          Ids want = greedy_ids(item(result.key));
          want.resize(16);
          EXPECT_EQ(result.tokens, want) << result.key;
          return ++finished > 1 || !early;
        });
    if (prefix >= 0) generator.drop_prefix(prefix);
    EXPECT_EQ(finished, early ? 1u : 40u);
  }
}

// Sampled texts depend on key and seed alone: not on slots, nor on the order of the requests.
TEST(Stories260k, SamplesDoNotDependOnTheBatch) {
  LACLIP_REFERENCE_DATA(kData);
  Stories stories;
  auto run = [&](int slots, bool reversed) {
    GeneratorOptions options = greedy(slots, 40);
    options.temperature = 0.9f;
    options.top_p = 0.95f;
    options.seed = 5;
    LlamaGenerator generator(*stories.model, options);
    std::vector<GenerationRequest> requests;
    for (uint64_t key = 0; key < 12; ++key)
      requests.push_back({key, -1, stories.cases[key % 6]["ids"].get<Ids>()});
    if (reversed) std::reverse(requests.begin(), requests.end());
    std::map<uint64_t, std::pair<Ids, double>> results;
    size_t given = 0;
    generator.run(
        [&]() -> std::optional<GenerationRequest> {
          if (given == requests.size()) return std::nullopt;
          return requests[given++];
        },
        [&](Generation r) {
          results[r.key] = {r.tokens, r.log_probability};
          return true;
        });
    return results;
  };
  const auto first = run(1, false);
  EXPECT_EQ(first.size(), 12u);
  EXPECT_NE(first.at(0).first, first.at(6).first) << "same prompt, other key, same text";
  EXPECT_EQ(first, run(5, false));
  EXPECT_EQ(first, run(12, true));
}

TEST(Generator, TooLongRequestsAreSaidToBe) {
  LACLIP_REFERENCE_DATA(kData);
  Stories stories;
  LlamaGenerator generator(*stories.model, greedy(2, 64));
  const auto results = generate(generator, {{0, -1, Ids(193, 5)}, {0, -1, {1}}, {0, -1, {}}});
  EXPECT_EQ(results[0].finish, Generation::Finish::too_long);
  EXPECT_EQ(results[1].finish, Generation::Finish::length);
  EXPECT_EQ(results[2].finish, Generation::Finish::too_long);
}

TEST(Generator, StopTokensEndATextAndAreNotPartOfIt) {
  LACLIP_REFERENCE_DATA(kData);
  Stories stories;
  GeneratorOptions options = greedy(1, 64);
  const Ids want = greedy_ids(stories.cases[0]);
  options.stop_tokens.assign(512, false);
  options.stop_tokens[size_t(want[10])] = true;
  LlamaGenerator generator(*stories.model, options);
  const auto result = generate(generator, {{0, -1, stories.cases[0]["ids"].get<Ids>()}})[0];
  const auto first = std::find(want.begin(), want.end(), want[10]);
  EXPECT_EQ(result.tokens, Ids(want.begin(), first));
  EXPECT_EQ(result.finish, Generation::Finish::stop);
}

}  // namespace
}  // namespace laclip

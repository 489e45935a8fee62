// The words, captions, rewrites, documents and the judge of the small world.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "data/eda.h"
#include "data/world/documents.h"
#include "data/world/judge.h"
#include "data/world/styles.h"

namespace laclip::world {
namespace {

Scene train_scene(uint64_t index) { return make_scene({7, Split::train, index}); }

TEST(WorldLexicon, EveryFormBelongsToOneConceptAndToNoTemplate) {
  std::map<std::string, int> owners;
  size_t kinds = 0;
  for (int c = 0; c < kCategories; ++c)
    for (int value = 0; value < concepts(Category(c)); ++value) {
      kinds += Category(c) == Category::kind;
      const Concept& forms = concept_of(Category(c), value);
      EXPECT_GE(forms.size(), 3u);
      EXPECT_LE(forms.size(), 5u);
      for (const Form& form : forms)
        for (const std::string& text : {form.text, form.plural}) {
          if (text.empty()) continue;
          EXPECT_EQ(++owners[text], 1) << text;
          const auto words = words_of(text);
          const auto match = match_form(words, 0);
          ASSERT_TRUE(match) << text;
          EXPECT_EQ(int(match->category), c) << text;
          EXPECT_EQ(match->value, value) << text;
          EXPECT_EQ(match->words, words.size()) << text;
        }
    }
  EXPECT_EQ(kinds, 24u);
  for (const std::string& word : template_words()) EXPECT_FALSE(match_form({word}, 0)) << word;
}

TEST(WorldLexicon, TheClosedVocabularyIsSmall) {
  std::set<std::string> words;
  for (uint64_t i = 0; i < 8000; ++i) {
    const Document document = make_document(2, Split::documents, i, {});
    for (const auto& text : {document.query.text, document.target})
      for (const std::string& word : words_of(text))
        if (std::none_of(word.begin(), word.end(), [](char c) { return std::isdigit(uint8_t(c)); }))
          words.insert(word);
  }
  // Typos come on top: one of fifty captions has one.
  std::erase_if(words, [](const std::string& word) {
    return !match_form({word}, 0) &&
           !std::binary_search(template_words().begin(), template_words().end(), word);
  });
  EXPECT_LT(words.size(), 550u);
  EXPECT_GT(words.size(), 300u);
}

TEST(WorldAltText, IsShortPartialAndMostlyJargon) {
  int plain_kinds = 0, kinds = 0;
  std::set<std::string> texts;
  for (uint64_t i = 0; i < 4000; ++i) {
    const Scene scene = train_scene(i);
    const AltText caption = alt_text(scene, {});
    texts.insert(caption.text);
    std::istringstream stream(caption.text);
    EXPECT_LE(std::distance(std::istream_iterator<std::string>(stream), {}), 18) << caption.text;
    EXPECT_EQ(caption.text.find("=>"), std::string::npos);
    EXPECT_LE(caption.facts.mentions.size(), 2u);
    const auto words = words_of(caption.text);
    for (const Mention& mention : caption.facts.mentions) {
      const Form& form = concept_of(Category::kind, mention.kind)[0];
      plain_kinds += std::any_of(words.begin(), words.end(), [&](const std::string& word) {
        return word == form.text || word == form.plural;
      });
      ++kinds;
    }
    EXPECT_EQ(alt_text(scene, {}).text, caption.text);
  }
  EXPECT_GT(texts.size(), 3800u);
  EXPECT_NEAR(double(plain_kinds) / kinds, 0.08, 0.02);
}

TEST(WorldJudge, TheGrammarIsFaithfulCompleteAndOfItsStyle) {
  for (uint64_t i = 0; i < 8000; ++i) {
    const Document document = make_document(4, Split::heldout, i, {});
    const Verdict verdict =
        judge(document.target, document.query.text, document.query.facts, document.scene);
    ASSERT_TRUE(verdict.faithful && verdict.faithful_to_scene && verdict.complete)
        << document.query.text << " => " << document.target;
    ASSERT_FALSE(verdict.unknown) << document.target;
    ASSERT_EQ(verdict.style, document.style) << document.target;
    // A word is about two tokens: a rewrite fits into CLIP's 77.
    EXPECT_LE(words_of(document.target).size(), 32u) << document.target;
  }
}

class PlantedFault : public testing::Test {
 protected:
  PlantedFault() {
    const auto value = [](Category category, const char* name) {
      return *value_of(category, name);
    };
    facts_.mentions = {{value(Category::kind, "circle"), value(Category::colour, "red"), -1, -1, 0},
                       {value(Category::kind, "star"), -1, small, -1, 0}};
    facts_.relation = left_of;
    facts_.background = value(Category::background, "sand");
  }
  bool faithful(const std::string& text) const { return holds(parse(text), facts_); }
  Facts facts_;
};

TEST_F(PlantedFault, IsFound) {
  EXPECT_TRUE(faithful("A crimson orb left of a tiny star on a beach background."));
  EXPECT_TRUE(faithful("A star to right of a ruby circle.")) << "the converse, and less, holds too";
  EXPECT_FALSE(faithful("A crimson square left of a tiny star.")) << "kind";
  EXPECT_FALSE(faithful("A navy orb left of a tiny star.")) << "colour";
  EXPECT_FALSE(faithful("A tiny orb left of a crimson star.")) << "binding";
  EXPECT_FALSE(faithful("An orb crimson left of a star.")) << "adjective behind its noun";
  EXPECT_FALSE(faithful("A tiny star left of a crimson orb.")) << "order";
  EXPECT_FALSE(faithful("A crimson orb above a tiny star.")) << "relation";
  EXPECT_FALSE(faithful("A striped orb left of a star.")) << "texture";
  EXPECT_FALSE(faithful("A big orb left of a star.")) << "size";
  EXPECT_FALSE(faithful("A pair of orbs left of a star.")) << "count";
  EXPECT_FALSE(faithful("Orbs left of a star.")) << "number";
  EXPECT_FALSE(faithful("A crimson orb on a snow background.")) << "background";
  EXPECT_FALSE(faithful("A crimson orb among three objects.")) << "total";
  EXPECT_FALSE(faithful("An orb and an orb and a star.")) << "one object twice";
  EXPECT_FALSE(faithful("A crimson orb with a key.")) << "another object";
  EXPECT_FALSE(faithful("A crimsno orb.")) << "no word";
  EXPECT_FALSE(faithful("A picture of.")) << "nothing at all";
  EXPECT_EQ(parse("A crimsno orb.").unknown, 1);
}

TEST(WorldJudge, SwapsInGeneratedTextsAreFound) {
  int swaps = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    const Document document = make_document(5, Split::heldout, i, {});
    const Facts& facts = document.query.facts;
    Facts wrong = facts;
    if (facts.mentions.size() == 2 && facts.relation >= 0)
      std::swap(wrong.mentions[0].kind, wrong.mentions[1].kind);
    else
      wrong.mentions[0].kind = (facts.mentions[0].kind + 1) % 24;
    if (to_json(wrong) == to_json(facts)) continue;
    Random random(1, RandomUse::test, i);
    EXPECT_FALSE(holds(parse(rewrite(random, document.style, wrong)), facts));
    ++swaps;
  }
  EXPECT_GT(swaps, 1900);
}

TEST(WorldJudge, CopiesStylesAndDiversity) {
  const Scene scene = train_scene(0);
  const AltText caption = alt_text(scene, {});
  EXPECT_TRUE(judge(caption.text + "!", caption.text, caption.facts, scene).copy);
  EXPECT_FALSE(judge("A star.", caption.text, caption.facts, scene).copy);
  EXPECT_EQ(recognise_style("a star"), std::nullopt);
  EXPECT_EQ(recognise_style("Imagine a star, calm."), RewriteMode::bard);
  EXPECT_EQ(recognise_style("A star."), RewriteMode::coco);
  EXPECT_EQ(recognise_style("just a star"), RewriteMode::human);
  JudgeTally tally;
  for (int i = 0; i < 4; ++i) tally.add("A red star.", RewriteMode::coco, {});
  EXPECT_EQ(tally.result()["distinct"], 0.25);
  EXPECT_EQ(tally.result()["distinct_2"], 0.25);
}

TEST(WorldDocuments, AreThePromptAndNeverShowTheQueryScene) {
  for (uint64_t i = 0; i < 400; ++i) {
    const Document document = make_document(3, Split::documents, i, {});
    EXPECT_TRUE(document.text.starts_with("write image captions differently,\n\n            "));
    EXPECT_TRUE(
        document.text.ends_with(prompt_query(document.query.text) + " " + document.target + "\n"));
    size_t arrows = 0;
    for (size_t at = 0; (at = document.text.find("=>", at)) != std::string::npos; ++at) ++arrows;
    EXPECT_EQ(arrows, 4u);
    EXPECT_EQ(make_document(3, Split::documents, i, {}).text, document.text);
  }
  for (RewriteMode style : kStyles) {
    const Json json = example_pairs(3, style, {});
    if (style == RewriteMode::coco) {
      EXPECT_EQ(json["groups"].size(), 18u);
      EXPECT_EQ(json["groups"][0].size(), 5u);
    } else {
      EXPECT_EQ(json["pairs"].size(), 16u);
    }
  }
}

TEST(Eda, SwapsDeletesInsertsAndReplaces) {
  const Eda eda({{"orb", "disc"}, {"red", "ruby", "crimson"}}, 0.1);
  std::set<std::string> results;
  for (uint64_t i = 0; i < 300; ++i) {
    Random random(1, RandomUse::test, i);
    const std::string text = eda.augment("Red orb x y", random);
    results.insert(text);
    const auto words = std::count(text.begin(), text.end(), ' ') + 1;
    EXPECT_GE(words, 1);
    EXPECT_LE(words, 5) << text;
  }
  for (const char* text : {"ruby orb x y", "Red disc x y", "orb Red x y", "Red orb x",
                           "Red orb x y", "Red disc orb x y"})
    EXPECT_TRUE(results.contains(text)) << text;
  Random random(1, RandomUse::test);
  EXPECT_EQ(eda.augment("", random), "");
}

}  // namespace
}  // namespace laclip::world

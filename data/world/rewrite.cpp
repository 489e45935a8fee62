// Rewrites from facts, plain captions, facts as JSON.
#include <cctype>

#include "data/world/language.h"
#include "data/world/noun_phrase.h"
#include "data/world/styles.h"

namespace laclip::world {
namespace {

const std::string& pick(Random& random, const std::vector<std::string>& list) {
  return list[random.below(uint32_t(list.size()))];
}

std::string text_of(const Mention& mention, bool articles, const FormChoice& choose) {
  const NounPhrase phrase = noun_phrase(mention, choose);
  const std::string text = joined({phrase.count, joined(phrase.adjectives), phrase.noun});
  return articles && phrase.takes_article ? with_article(text) : text;
}

Mention mention_of(const Object& object) {
  return {object.kind, object.colour, object.size, object.texture, 0};
}

}  // namespace

Facts facts_of(const Scene& scene) {
  Facts facts;
  for (const Object& object : scene.objects) facts.mentions.push_back(mention_of(object));
  if (scene.alike) {
    facts.mentions.resize(1);
    facts.mentions[0].count = int(scene.objects.size());
  }
  facts.relation = scene.relation;
  facts.background = scene.background;
  facts.total = int(scene.objects.size());
  return facts;
}

Json to_json(const Facts& facts) {
  Json mentions = Json::array();
  for (const Mention& mention : facts.mentions) {
    Json json = {{"kind", plain(Category::kind, mention.kind)}};
    for (const auto& [category, value] : {std::pair{Category::colour, mention.colour},
                                          {Category::size, mention.size},
                                          {Category::texture, mention.texture},
                                          {Category::count, mention.count - 1}})
      if (value >= 0) json[name_of(category)] = plain(category, value);
    mentions.push_back(json);
  }
  Json json = {{"mentions", mentions}};
  if (facts.relation >= 0) json["relation"] = plain(Category::relation, facts.relation);
  if (facts.background >= 0) json["background"] = plain(Category::background, facts.background);
  if (facts.total > 0) json["total"] = facts.total;
  return json;
}

std::string rewrite(Random& random, RewriteMode mode, const Facts& facts) {
  const Style& style = style_of(mode);
  const FormChoice choose = [&](Category category, int value) -> const Form& {
    return draw_form(random, category, value);
  };
  std::string core = text_of(facts.mentions[0], style.articles, choose);
  if (facts.mentions.size() > 1) {
    const bool relates = facts.relation >= 0;
    std::string both = filled(pick(random, relates ? style.relations : style.pairs), "{a}", core);
    if (relates) both = filled(both, "{rel}", choose(Category::relation, facts.relation).text);
    core = filled(both, "{b}", text_of(facts.mentions[1], style.articles, choose));
  }
  if (facts.total > 0) {
    Mention things;
    things.count = facts.total;
    core += filled(pick(random, style.totals), "{}", text_of(things, style.articles, choose));
  }
  std::string background;
  if (facts.background >= 0) {
    const std::string name = choose(Category::background, facts.background).text;
    background = filled(pick(random, style.backgrounds), "{}", name);
    background = filled(background, " a " + name, " " + with_article(name));
  }
  std::string text = filled(filled(pick(random, style.frames), "{bg}", background), "{}", core);
  if (style.sentence) text[0] = char(std::toupper(uint8_t(text[0])));
  return text;
}

std::string plain_caption(const Scene& scene) {
  const FormChoice choose = [](Category category, int value) -> const Form& {
    return concept_of(category, value)[0];
  };
  const Facts facts = facts_of(scene);
  std::string text = "we see ";
  for (size_t i = 0; i < facts.mentions.size(); ++i) {
    if (i == 1 && facts.relation >= 0)
      text += " " + plain(Category::relation, facts.relation) + " ";
    else if (i > 0)
      text += " and ";
    text += text_of(facts.mentions[i], true, choose);
  }
  return text + ", behind it " + plain(Category::background, facts.background);
}

}  // namespace laclip::world

#include "data/world/judge.h"

#include <algorithm>

#include "data/world/noun_phrase.h"
#include "data/world/styles.h"

namespace laclip::world {
namespace {

bool is_empty(const Mention& mention) {
  return mention.colour < 0 && mention.size < 0 && mention.texture < 0 && mention.count == 0;
}

class Parser {
 public:
  Parsed parse(const std::string& text) {
    const auto words = words_of(text);
    for (size_t at = 0; at < words.size();) {
      const auto match = match_form(words, at);
      if (match) {
        take(*match);
        at += match->words;
        continue;
      }
      drop_adjectives();
      const auto& known = template_words();
      result_.unknown += !std::binary_search(known.begin(), known.end(), words[at]);
      ++at;
    }
    drop_adjectives();
    result_.stray += relation_ >= 0;
    return std::move(result_);
  }

 private:
  void set(int& attribute, int none, int value) {
    if (attribute != none && attribute != value) ++result_.stray;
    attribute = value;
  }
  void drop_adjectives() {
    result_.stray += !is_empty(pending_);
    pending_ = {};
  }
  void take(const Match& match) {
    switch (match.category) {
      case Category::colour:
        return set(pending_.colour, -1, match.value);
      case Category::size:
        return set(pending_.size, -1, match.value);
      case Category::texture:
        return set(pending_.texture, -1, match.value);
      case Category::count:
        return set(pending_.count, 0, match.value + 1);
      case Category::kind:
        return noun(match);
      case Category::thing:
        result_.stray += pending_.count == 0;
        result_.totals.push_back(pending_.count);
        pending_.count = 0;
        return drop_adjectives();
      case Category::relation:
        drop_adjectives();
        result_.stray += result_.mentions.empty() || relation_ >= 0;
        relation_ = match.value;
        return;
      case Category::background:
        drop_adjectives();
        result_.backgrounds.push_back(match.value);
        return;
    }
  }
  void noun(const Match& match) {
    pending_.kind = match.value;
    // Number and noun agree; a bare plural does not say how many.
    result_.stray += match.plural != (pending_.count > 1);
    result_.mentions.push_back(pending_);
    pending_ = {};
    const size_t mentions = result_.mentions.size();
    if (relation_ >= 0 && mentions > 1)
      result_.relations.push_back({mentions - 2, mentions - 1, relation_});
    relation_ = -1;
  }

  Parsed result_;
  Mention pending_;
  int relation_ = -1;
};

bool agrees(int said, int known, int unsaid) { return said == unsaid || said == known; }

bool fits(const Mention& said, const Mention& fact) {
  return said.kind == fact.kind && agrees(said.colour, fact.colour, -1) &&
         agrees(said.size, fact.size, -1) && agrees(said.texture, fact.texture, -1) &&
         agrees(said.count, fact.count, 0);
}

int attributes(const Mention& mention) {
  return (mention.colour >= 0) + (mention.size >= 0) + (mention.texture >= 0) + (mention.count > 0);
}

}  // namespace

Parsed parse(const std::string& text) { return Parser().parse(text); }

bool holds(const Parsed& text, const Facts& facts) {
  if (text.mentions.empty() || text.stray > 0 || text.unknown > 0) return false;
  // Kinds differ within a scene: a mention can mean one object only, and each is named once.
  std::vector<int> fact_of;
  for (const Mention& mention : text.mentions) {
    int found = -1;
    for (size_t i = 0; i < facts.mentions.size(); ++i)
      if (fits(mention, facts.mentions[i])) found = int(i);
    if (found < 0 || std::find(fact_of.begin(), fact_of.end(), found) != fact_of.end())
      return false;
    fact_of.push_back(found);
  }
  for (const auto& [first, second, relation] : text.relations) {
    const int a = fact_of[first], b = fact_of[second];
    const bool same = a == 0 && b == 1 && relation == facts.relation;
    const bool turned = a == 1 && b == 0 && relation != inside && facts.relation >= 0 &&
                        converse(Relation(relation)) == facts.relation;
    if (!same && !turned) return false;
  }
  const auto all_are = [](const std::vector<int>& said, int fact) {
    return std::all_of(said.begin(), said.end(), [&](int value) { return value == fact; });
  };
  return all_are(text.backgrounds, facts.background) && all_are(text.totals, facts.total);
}

bool is_complete(const Parsed& text, const Facts& facts) {
  int said = 0, known = 0;
  for (const Mention& mention : text.mentions) said += attributes(mention);
  for (const Mention& mention : facts.mentions) known += attributes(mention);
  return text.mentions.size() >= facts.mentions.size() && said >= known &&
         text.relations.size() >= size_t(facts.relation >= 0) &&
         text.backgrounds.size() >= size_t(facts.background >= 0) &&
         text.totals.size() >= size_t(facts.total > 0);
}

Verdict judge(const std::string& rewrite, const std::string& caption, const Facts& facts,
              const Scene& scene) {
  const Parsed parsed = parse(rewrite);
  Facts known = facts_of(scene);
  // One lone object may be called single.
  if (scene.objects.size() == 1) known.mentions[0].count = 1;
  const bool faithful = holds(parsed, facts);
  return {faithful,
          holds(parsed, known),
          faithful && is_complete(parsed, facts),
          words_of(rewrite) == words_of(caption),
          parsed.unknown > 0,
          recognise_style(rewrite)};
}

void JudgeTally::add(const std::string& rewrite, RewriteMode mode, const Verdict& verdict) {
  ++count_;
  faithful_ += verdict.faithful;
  scene_ += verdict.faithful_to_scene;
  complete_ += verdict.complete;
  copies_ += verdict.copy;
  unknown_ += verdict.unknown;
  style_ += verdict.style == mode;
  texts_.insert(rewrite);
  const auto words = words_of(rewrite);
  for (size_t i = 1; i < words.size(); ++i) {
    word_pairs_.insert(words[i - 1] + " " + words[i]);
    ++pairs_;
  }
}

Json JudgeTally::result() const {
  const auto share = [&](int64_t part) { return count_ ? double(part) / double(count_) : 0.0; };
  return {{"rewrites", count_},
          {"faithful", share(faithful_)},
          {"faithful_to_scene", share(scene_)},
          {"complete", share(complete_)},
          {"copy", share(copies_)},
          {"style", share(style_)},
          {"unknown_words", share(unknown_)},
          {"distinct", share(int64_t(texts_.size()))},
          {"distinct_2", pairs_ ? double(word_pairs_.size()) / double(pairs_) : 0.0}};
}

}  // namespace laclip::world
